package batcher

// Epochs: what Flush waits for.

import (
	"errors"
	"fmt"
)

// epochs divides the batches by the calls of Flush. A batch joins the current
// epoch when it is opened, and leaves it when its last item has met its fate. Flush
// closes the current epoch and waits until it and all earlier ones are empty.
// Batches opened later are in a later epoch, so they cannot hold it up. A chunk of items
// in a lane counts as a batch until its items have been given to one.
//
// It is guarded by the engine's lock. The zero value is ready.
type epochs struct {
	first, current *epoch // the oldest one not over yet, to the one that batches join
	closed         *epoch // the one before current
	barriers       map[*barrier]struct{}
}

// epoch counts the batches that are not settled yet.
type epoch struct {
	number  int64
	batches int
	next    *epoch
	over    chan struct{} // made when the epoch ends; closed when it and those before are empty
}

// barrier is one call of Flush that waits. It collects the failures it must report.
type barrier struct {
	epoch    *epoch
	failures []error // *FlushError, the last maxReported of them
	omitted  int     // how many came before
	aborted  bool    // Close handed items back
}

// maxReported bounds the failures that one Flush returns.
const maxReported = 8

// join adds a batch to the current epoch and returns it.
func (es *epochs) join() *epoch {
	if es.current == nil {
		es.current = new(epoch)
		es.first = es.current
	}
	es.current.batches++
	return es.current
}

// leave takes a batch out of its epoch.
func (es *epochs) leave(e *epoch) {
	e.batches--
	es.advance()
}

// regroup moves a batch from its epoch to an earlier one, whose items it has been
// given, and returns that. Those who wait for the earlier one now wait for the batch.
func (es *epochs) regroup(from, to *epoch) *epoch {
	if from.number > to.number {
		to.batches++
		es.leave(from)
		return to
	}
	return from
}

// awaited reports whether a Flush was called since e was the current epoch.
func (es *epochs) awaited(e *epoch) bool { return e != es.current }

// advance ends the epochs, oldest first, that are closed and empty.
func (es *epochs) advance() {
	for es.first != es.current && es.first.batches == 0 {
		close(es.first.over)
		es.first = es.first.next
	}
}

// raise closes the current epoch and returns a barrier behind it, nil if there is
// nothing to wait for. lower must end it.
func (es *epochs) raise() *barrier {
	if es.current == nil || es.first == es.current && es.current.batches == 0 {
		return nil
	}
	if es.current.batches > 0 { // else nothing has come since the last call: wait for the same
		es.closed = es.current
		es.closed.over = make(chan struct{})
		es.current = &epoch{number: es.closed.number + 1}
		es.closed.next = es.current
	}
	b := &barrier{epoch: es.closed}
	if es.barriers == nil {
		es.barriers = make(map[*barrier]struct{})
	}
	es.barriers[b] = struct{}{}
	return b
}

// lower forgets a barrier. It returns what the barrier collected, and whether
// what it waited for is over.
func (es *epochs) lower(b *barrier) (failures error, over bool) {
	delete(es.barriers, b)
	select {
	case <-b.epoch.over:
		over = true
	default:
	}
	return b.err(), over
}

// report tells the barriers that wait for e that items in it were given up.
func (es *epochs) report(e *epoch, failure *FlushError) {
	for b := range es.barriers {
		if b.epoch.number >= e.number {
			b.add(failure)
		}
	}
}

// abort ends all epochs: Close gave up and handed the items back.
func (es *epochs) abort() {
	for b := range es.barriers {
		b.aborted = true
	}
	for ; es.first != es.current; es.first = es.first.next {
		close(es.first.over)
	}
}

func (b *barrier) add(failure error) {
	if len(b.failures) == maxReported {
		copy(b.failures, b.failures[1:])
		b.failures = b.failures[:maxReported-1]
		b.omitted++
	}
	b.failures = append(b.failures, failure)
}

func (b *barrier) err() error {
	all := b.failures
	if b.omitted > 0 {
		all = append([]error{fmt.Errorf("batcher: %d earlier failures are not listed", b.omitted)}, all...)
	}
	if b.aborted {
		all = append(all, fmt.Errorf("batcher: Close gave up before Flush was done: %w", ErrClosed))
	}
	return errors.Join(all...)
}
