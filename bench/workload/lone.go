package workload

// With one caller, who waits for each item before he sends the next: what an item alone costs in
// time.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

// Lone is one caller.
type Lone struct {
	// Open starts what is measured. send hands over one item and returns when the sink has it.
	Open  func() (send func(context.Context) error, shut func(context.Context) error, err error)
	Slice time.Duration // how long a run takes
}

// leastCalls is how many calls a run makes, even if they take longer than the slice.
const leastCalls = 5

// Run measures percentiles of a call's time.
func (l *Lone) Run(ctx context.Context) ([]measure.Reading, error) {
	send, shut, err := l.Open()
	if err != nil {
		return nil, fmt.Errorf("new: %w", err)
	}
	var took []float64
	for began := time.Now(); err == nil && (time.Since(began) < l.Slice || len(took) < leastCalls); {
		call := time.Now()
		err = send(ctx)
		took = append(took, float64(time.Since(call).Nanoseconds()))
	}
	if err = errors.Join(err, shut(ctx)); err != nil {
		return nil, err
	}
	return []measure.Reading{{Iters: len(took), Values: percentiles(took)[1:3]}}, nil
}

// LoneOf is a Lone for a contender: Add, then wait until the sink has received the item.
func LoneOf(make Maker[int64], s contender.Settings, slice time.Duration) *Lone {
	return &Lone{Slice: slice, Open: func() (func(context.Context) error, func(context.Context) error, error) {
		there := newSignal()
		q, err := make(s, there.flush)
		if err != nil {
			return nil, nil, err
		}
		send := func(ctx context.Context) error {
			if err := q.Add(ctx, 1<<20); err != nil {
				return err
			}
			return there.wait(ctx)
		}
		return send, q.Close, nil
	}}
}

// Bare is what no queue can be better than: a goroutine for each call, which answers on a channel.
func Bare(slice time.Duration) *Lone {
	return &Lone{Slice: slice, Open: func() (func(context.Context) error, func(context.Context) error, error) {
		there := newSignal()
		send := func(ctx context.Context) error {
			go func() { _ = there.flush(ctx, nil) }()
			return there.wait(ctx)
		}
		return send, func(context.Context) error { return nil }, nil
	}}
}

// signal is a sink that says when it was called. Its channel takes one answer, since at most one
// item is on its way.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) flush(ctx context.Context, _ []int64) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s signal) wait(ctx context.Context) error {
	select {
	case <-s:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
