// Package ctxchecks is exercise 18: how often an Add looks at its context.
package ctxchecks

// The baseline: two selects.

import "context"

// Slow looks at the context in a select of its own, and then in the one that sends.
//
// The second one is the expensive one: a select with two channels takes the locks of both, that
// of the context too, which all producers with the same context share. With context.Background
// there is no such channel, and it costs less.
type Slow struct{ In chan int }

// Add sends an item, unless ctx has ended or ends before there is room.
func (s Slow) Add(ctx context.Context, item int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case s.In <- item:
		return nil
	}
}
