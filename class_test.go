package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestErrorClassIsOneWordOfTheList(t *testing.T) {
	partial := &batcher.PartialError{Errs: map[int]error{1: batcher.Permanent(errSink)}}
	byKey := &batcher.PartialKeyError[string]{Errs: map[string]error{"a": errSink}}
	timeout := &url.Error{Op: "Get", Err: os.ErrDeadlineExceeded}
	seen := map[string]bool{}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"nil":                           {nil, ""},
		"plain":                         {errSink, "other"},
		"dropped":                       {batcher.ErrDropped, "dropped"},
		"dropped, as hooks get it":      {&batcher.FlushError{Items: 1, Err: batcher.ErrDropped}, "dropped"},
		"panic":                         {&batcher.PanicError{Value: "boom"}, "panic"},
		"panic with an error":           {&batcher.PanicError{Value: context.Canceled}, "panic"},
		"goexit":                        {batcher.ErrGoexit, "goexit"},
		"partial":                       {partial, "partial"},
		"partial by key":                {fmt.Errorf("sink: %w", byKey), "partial"},
		"partial, permanent as a whole": {batcher.Permanent(partial), "partial"},
		"too large":                     {batcher.TooLarge(errSink), "too_large"},
		"too large and permanent":       {batcher.Permanent(batcher.TooLarge(errSink)), "too_large"},
		"permanent":                     {batcher.Permanent(errSink), "permanent"},
		"permanent timeout":             {batcher.Permanent(context.DeadlineExceeded), "permanent"},
		"deadline":                      {fmt.Errorf("sink: %w", context.DeadlineExceeded), "timeout"},
		"timeout of package net":        {timeout, "timeout"},
		"no timeout":                    {&net.OpError{Op: "dial", Err: errSink}, "other"},
		"timeout behind none":           {errors.Join(syscall.ECONNREFUSED, syscall.ETIMEDOUT), "timeout"},
		"none behind none":              {errors.Join(syscall.ECONNREFUSED, fmt.Errorf("b: %w", syscall.EPIPE)), "other"},
		"canceled":                      {fmt.Errorf("sink: %w", context.Canceled), "canceled"},
		"closed":                        {batcher.ErrClosed, "canceled"},
		"throttled":                     {batcher.RetryAfter(errSink, time.Second), "throttled"},
		"throttled timeout":             {batcher.RetryAfter(context.DeadlineExceeded, 0), "timeout"},
		"joined":                        {errors.Join(errSink, batcher.TooLarge(errSink)), "too_large"},
	} {
		assert.Equal(t, test.want, batcher.ErrorClass(test.err), name)
		seen[test.want] = true
	}
	delete(seen, "")
	assert.ElementsMatch(t, batcher.ErrorClasses(), slices.Collect(maps.Keys(seen)))
}
