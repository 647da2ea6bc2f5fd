package ctxchecks

// The trap: what the exercise recommends.

import "context"

// Single leaves out the first select, since the second one looks at the context as well. But
// a select of which several cases are ready takes one at random. With room in the channel and
// a context that has ended, both are: about half of the items are accepted.
//
// For a caller that is a promise broken at random. An Add after the shutdown of the request works,
// or not; a test sees it today, or not. It is the same with a channel that says that the batcher is
// closed: about half of the items would be accepted after Close, by nobody.
type Single struct{ In chan int }

// Add sends an item; or, perhaps, does not, if ctx has ended.
func (s Single) Add(ctx context.Context, item int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case s.In <- item:
		return nil
	}
}
