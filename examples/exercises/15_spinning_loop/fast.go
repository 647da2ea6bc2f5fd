package spinningloop

// The fast side: the same select without the default.

import "time"

// Fast waits in its select for an item, or for the timer of the batch if there is one. While
// there is neither, its goroutine is not run at all.
type Fast struct{ loop }

// NewFast starts a batcher for batches of size items, which are complete after delay.
func NewFast(size int, delay time.Duration, sink Sink) *Fast {
	f := &Fast{newLoop()}
	go f.run(size, delay, sink)
	return f
}

func (f *Fast) run(size int, delay time.Duration, sink Sink) {
	defer close(f.done)
	timer := time.NewTimer(delay)
	timer.Stop() // until there is an item
	var buf []int
	flush := func() {
		timer.Stop()
		if len(buf) > 0 {
			sink(buf)
			buf = buf[:0]
		}
	}
	for {
		select {
		case item, ok := <-f.in:
			if !ok {
				flush()
				return
			}
			if buf = append(buf, item); len(buf) == 1 {
				timer.Reset(delay)
			}
			if len(buf) == size {
				flush()
			}
		case <-timer.C:
			flush()
		}
	}
}
