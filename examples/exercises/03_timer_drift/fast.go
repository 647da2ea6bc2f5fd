package timerdrift

// The fast side: a timer that the first item of a batch sets.

import "time"

// Fast passes on a batch when its first item has been in it for a delay, and when it is full.
//
// There is one timer, set again for each batch; a new one each time would be an allocation. A
// timer that fires at the moment at which the batch becomes full must not cut the next one. In Go
// before 1.23 that took care: Stop, and then empty the channel if Stop said that it was too late.
// Now nothing comes out of the channel after Stop. With time.AfterFunc the question is still
// there, since the function may be waiting for a lock: the library's looks at the age of the
// batch that it finds (timer.go, tick).
type Fast struct{ loop }

// NewFast starts a batcher for batches of size items that are complete after delay.
func NewFast(size int, delay time.Duration, sink Sink) *Fast {
	f := &Fast{newLoop()}
	go f.run(size, delay, sink)
	return f
}

func (f *Fast) run(size int, delay time.Duration, sink Sink) {
	defer close(f.done)
	timer := time.NewTimer(delay)
	timer.Stop() // until there is an item
	b := buffer{sink: sink}
	for {
		select {
		case item, ok := <-f.in:
			if !ok {
				timer.Stop()
				b.flush()
				return
			}
			b.items = append(b.items, item)
			switch len(b.items) {
			case size:
				timer.Stop()
				b.flush()
			case 1:
				timer.Reset(delay)
			}
		case <-timer.C:
			b.flush()
		}
	}
}
