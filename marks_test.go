package batcher_test

// Reading the marks back: IsPermanent, IsTooLarge and RetryDelay.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// marks are what the three functions read.
type marks struct {
	permanent, tooLarge, throttled bool
	delay                          time.Duration
}

func marksOf(err error) marks {
	m := marks{permanent: batcher.IsPermanent(err), tooLarge: batcher.IsTooLarge(err)}
	m.delay, m.throttled = batcher.RetryDelay(err)
	return m
}

// disguised answers errors.As by itself, as some errors of drivers do.
type disguised struct{ error }

func (d disguised) As(target any) bool { return errors.As(d.error, target) }

// orphan is an error of the user's that has no Unwrap method.
type orphan struct{ err error }

func (o *orphan) Error() string {
	if o == nil {
		return "no orphan"
	}
	return o.err.Error()
}

func TestMarksAreReadBack(t *testing.T) {
	permanent, tooLarge := batcher.Permanent(errSink), batcher.TooLarge(errSink)
	after := batcher.RetryAfter(errSink, time.Second)
	isPermanent, isTooLarge := marks{permanent: true}, marks{tooLarge: true}
	isThrottled := marks{throttled: true, delay: time.Second}
	for name, test := range map[string]struct {
		err  error
		want marks
	}{
		"nil":                  {nil, marks{}},
		"permanent nil":        {batcher.Permanent(nil), marks{}},
		"too large nil":        {batcher.TooLarge(nil), marks{}},
		"retry after nil":      {batcher.RetryAfter(nil, time.Second), marks{}},
		"unmarked":             {errSink, marks{}},
		"the end of a context": {context.DeadlineExceeded, marks{}},

		"permanent":         {permanent, isPermanent},
		"permanent, twice":  {batcher.Permanent(permanent), isPermanent},
		"too large":         {tooLarge, isTooLarge},
		"retry after":       {after, isThrottled},
		"retry after 0":     {batcher.RetryAfter(errSink, 0), marks{throttled: true}},
		"after the past":    {batcher.RetryAfter(errSink, -time.Hour), marks{throttled: true}},
		"after an hour":     {batcher.RetryAfter(errSink, time.Hour), marks{throttled: true, delay: time.Hour}},
		"after a long time": {batcher.RetryAfter(errSink, math.MaxInt64), marks{throttled: true, delay: time.Hour}},
		"the outermost of two delays": {
			batcher.RetryAfter(batcher.RetryAfter(errSink, time.Minute), time.Second), isThrottled,
		},
		"the first of two joined delays": {
			errors.Join(after, batcher.RetryAfter(errSink, time.Minute)), isThrottled,
		},

		"wrapped":            {fmt.Errorf("writing: %w", permanent), isPermanent},
		"wrapped twice":      {fmt.Errorf("storing: %w", fmt.Errorf("writing: %w", tooLarge)), isTooLarge},
		"wrapped with two":   {fmt.Errorf("%w: %w", io.EOF, after), isThrottled},
		"joined":             {errors.Join(io.EOF, permanent), isPermanent},
		"joined and wrapped": {fmt.Errorf("writing: %w", errors.Join(errors.Join(io.EOF), tooLarge)), isTooLarge},
		"behind an As":       {disguised{permanent}, isPermanent},
		"not behind %v":      {fmt.Errorf("writing: %v", permanent), marks{}},
		"not without Unwrap": {&orphan{permanent}, marks{}},

		"all three": {
			batcher.Permanent(batcher.TooLarge(after)),
			marks{permanent: true, tooLarge: true, throttled: true, delay: time.Second},
		},
		"all three, joined": {
			errors.Join(after, tooLarge, permanent),
			marks{permanent: true, tooLarge: true, throttled: true, delay: time.Second},
		},

		"not in a PartialError": {
			&batcher.PartialError{Errs: map[int]error{0: permanent, 1: tooLarge, 2: after}}, marks{},
		},
		"around a PartialError": {
			batcher.RetryAfter(&batcher.PartialError{Errs: map[int]error{0: permanent}}, time.Second), isThrottled,
		},
		"beside a PartialError": {
			errors.Join(&batcher.PartialError{Errs: map[int]error{0: tooLarge}}, permanent), isPermanent,
		},

		"in a FlushError":  {&batcher.FlushError{Items: 1, Attempts: 1, Err: permanent}, isPermanent},
		"in a CloseError":  {&batcher.CloseError[int]{Err: after}, isThrottled},
		"nil PartialError": {(*batcher.PartialError)(nil), marks{}},
		"nil of a type":    {(*orphan)(nil), marks{}},
		"marked typed nil": {batcher.Permanent((*batcher.PartialError)(nil)), isPermanent},
	} {
		assert.Equal(t, test.want, marksOf(test.err), name)
	}
}

// A batcher takes both as permanent without a mark, and does not look for one in the panic's value.
func TestAPanicAndGoexitBearNoMarkOfTheirOwn(t *testing.T) {
	assert.Zero(t, marksOf(batcher.ErrGoexit))
	assert.Zero(t, marksOf(&batcher.PanicError{Value: "boom"}))
	assert.Zero(t, marksOf(&batcher.PanicError{Value: io.EOF}))
	assert.Equal(t, marks{throttled: true, delay: time.Minute},
		marksOf(&batcher.PanicError{Value: batcher.RetryAfter(errSink, time.Minute)}))
	assert.Equal(t, marks{permanent: true}, marksOf(batcher.Permanent(batcher.ErrGoexit)))
}

func TestMarksAreReadBackFromAReceiptAndADeadLetter(t *testing.T) {
	for _, c := range []struct {
		err  error
		want marks
	}{
		{batcher.Permanent(errSink), marks{permanent: true}},
		{batcher.TooLarge(errSink), marks{tooLarge: true}}, // of a single item
		{batcher.RetryAfter(errSink, time.Second), marks{throttled: true, delay: time.Second}},
		{errSink, marks{}},
	} {
		var sink script[int]
		var box mailbox[int]
		b := start(t, sink.fail(c.err).flush, batcher.WithMaxSize(1), batcher.WithDeadLetter(box.handle))
		err := b.AddWait(context.Background(), 1)
		require.ErrorIs(t, err, errSink)
		assert.Equal(t, c.want, marksOf(err))
		finish(t, b)
		require.Len(t, box.letters, 1)
		assert.Equal(t, c.want, marksOf(box.letters[0].Err))
	}
}
