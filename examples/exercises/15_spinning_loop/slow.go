// Package spinningloop is exercise 15: what a batcher does when there is nothing to do.
package spinningloop

// The slow side: a select with a default.

import "time"

// Sink writes a batch. It must not keep the slice.
type Sink func(batch []int)

// Slow never waits: with a default, a select that finds nothing ready goes on at once, and the
// loop looks again, as fast as a processor can. It is the whole processor, for each batcher, all
// the time, and less of it is left for the producers. It looks at the clock in each round, too.
type Slow struct{ loop }

// NewSlow starts a batcher for batches of size items, which are complete after delay.
func NewSlow(size int, delay time.Duration, sink Sink) *Slow {
	s := &Slow{newLoop()}
	go s.poll(size, delay, sink, func() {})
	return s
}

// loop is what all variants have in common: a channel of items, and a goroutine that reads it.
type loop struct {
	in   chan int      // the producers send; Close closes
	done chan struct{} // closed by the goroutine when it ends
}

func newLoop() loop { return loop{make(chan int, 100), make(chan struct{})} }

// Add adds an item. It must not be called after Close.
func (l loop) Add(item int) { l.in <- item }

// Close passes on what is left and ends the batcher.
func (l loop) Close() error {
	close(l.in)
	<-l.done
	return nil
}

// poll is the loop with a default. It calls idle whenever it has found nothing.
func (l loop) poll(size int, delay time.Duration, sink Sink, idle func()) {
	defer close(l.done)
	var buf []int
	var first time.Time
	flush := func() {
		if len(buf) > 0 {
			sink(buf)
			buf = buf[:0]
		}
	}
	for {
		select {
		case item, ok := <-l.in:
			if !ok {
				flush()
				return
			}
			if buf = append(buf, item); len(buf) == 1 {
				first = time.Now()
			}
			if len(buf) == size {
				flush()
			}
		default:
			if len(buf) > 0 && time.Since(first) >= delay {
				flush()
			}
			idle()
		}
	}
}
