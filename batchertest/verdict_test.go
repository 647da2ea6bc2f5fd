package batchertest_test

// What the classification table makes of an error.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

func TestTheFirstMarkInTheListIsTheVerdict(t *testing.T) {
	partial := &batcher.PartialError{Errs: map[int]error{2: batcher.Permanent(errBad)}}
	permanent, tooLarge := batcher.Permanent(errDown), batcher.TooLarge(errDown)
	throttled := batcher.RetryAfter(errDown, time.Second)
	for name, test := range map[string]struct {
		err  error
		want batchertest.Verdict
	}{
		"nil":                    {nil, 0},
		"unmarked":               {errDown, batchertest.Transient},
		"ended context":          {context.Canceled, batchertest.Transient},
		"retry after":            {throttled, batchertest.Throttled},
		"retry after 0":          {batcher.RetryAfter(errDown, 0), batchertest.Throttled},
		"permanent":              {permanent, batchertest.Permanent},
		"too large":              {tooLarge, batchertest.TooLarge},
		"partial":                {partial, batchertest.Partial},
		"wrapped":                {fmt.Errorf("x: %w", fmt.Errorf("y: %w", tooLarge)), batchertest.TooLarge},
		"all, joined":            {errors.Join(throttled, permanent, tooLarge, partial), batchertest.Partial},
		"all but partial":        {errors.Join(throttled, permanent, tooLarge), batchertest.TooLarge},
		"permanent, throttled":   {errors.Join(throttled, permanent), batchertest.Permanent},
		"permanent partial":      {batcher.Permanent(partial), batchertest.Partial},
		"partial, any index":     {&batcher.PartialError{Errs: map[int]error{1 << 20: errBad}}, batchertest.Partial},
		"partial of none":        {&batcher.PartialError{}, batchertest.Transient},
		"partial of nil":         {&batcher.PartialError{Errs: map[int]error{0: nil}}, batchertest.Transient},
		"partial, index -1":      {&batcher.PartialError{Errs: map[int]error{-1: errBad}}, batchertest.Transient},
		"nil partial":            {(*batcher.PartialError)(nil), batchertest.Transient},
		"partial of none, fatal": {batcher.Permanent(&batcher.PartialError{}), batchertest.Permanent},
	} {
		assert.Equal(t, test.want, batchertest.VerdictOf(test.err), name)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	for v, want := range map[batchertest.Verdict]string{
		0: "no error", batchertest.Partial: "partial", batchertest.TooLarge: "too large",
		batchertest.Permanent: "permanent", batchertest.Throttled: "throttled",
		batchertest.Transient: "transient", 6: "Verdict(6)", -1: "Verdict(-1)",
	} {
		assert.Equal(t, want, v.String())
	}
}
