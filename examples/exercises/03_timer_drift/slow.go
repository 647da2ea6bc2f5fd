// Package timerdrift is exercise 3: when a batch is passed on that does not become full.
package timerdrift

// The slow side: a ticker.

import "time"

// Item is an item to be batched, with the time at which its producer wanted to add it.
type Item struct {
	Seq   int
	Added time.Time
}

// Sink writes a batch. It must not keep the slice.
type Sink func(batch []Item)

// queueSize is how many items may wait in the channel, of both sides.
const queueSize = 100

// Slow passes on what it has at every tick, and when a batch is full.
//
// The ticks know nothing of the items. One that comes just before a tick waits for hardly
// anything, one that comes just after for a whole interval: the delay is anything in between, by
// chance, and the batches are cut short, so there are more of them. While the sink
// works, a tick waits in the channel of the ticker, and cuts the next batch at once.
type Slow struct{ loop }

// NewSlow starts a batcher for batches of size items, with a tick every delay.
func NewSlow(size int, delay time.Duration, sink Sink) *Slow {
	s := &Slow{newLoop()}
	go s.run(size, delay, sink)
	return s
}

func (s *Slow) run(size int, delay time.Duration, sink Sink) {
	defer close(s.done)
	ticker := time.NewTicker(delay)
	defer ticker.Stop()
	b := buffer{sink: sink}
	for {
		select {
		case item, ok := <-s.in:
			if !ok {
				b.flush()
				return
			}
			if b.items = append(b.items, item); len(b.items) == size {
				b.flush()
			}
		case <-ticker.C:
			b.flush()
		}
	}
}

// loop is what both sides have in common: a channel of items, and a goroutine that reads it.
type loop struct {
	in   chan Item     // the producers send; Close closes
	done chan struct{} // closed by run when it ends
}

func newLoop() loop { return loop{make(chan Item, queueSize), make(chan struct{})} }

// Add adds an item. It must not be called after Close.
func (l loop) Add(item Item) { l.in <- item }

// Close passes on what is left and ends the batcher.
func (l loop) Close() error {
	close(l.in)
	<-l.done
	return nil
}

// buffer is the filling batch. It belongs to the goroutine.
type buffer struct {
	items []Item
	sink  Sink
}

func (b *buffer) flush() {
	if len(b.items) > 0 {
		b.sink(b.items)
		b.items = b.items[:0]
	}
}
