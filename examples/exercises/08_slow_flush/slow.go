// Package slowflush is exercise 8: a flush that the producers have to wait for.
package slowflush

// The slow side: the loop that reads the items calls the sink.

// Sink writes a batch, and may take its time. It must not keep the slice.
type Sink func(batch []int)

// queueSize is how many items may wait in the channel, of both sides.
const queueSize = 10

// Slow calls the sink from the goroutine that reads its channel. As long as a flush takes, nobody
// reads: the channel fills, and then the producers stand still. A larger channel only
// moves the moment, and its items are in no batch yet, where no clock runs for them.
type Slow struct {
	in   chan int      // the producers send; Close closes
	done chan struct{} // closed by run when it ends
}

// NewSlow starts a batcher for batches of size items.
func NewSlow(size int, sink Sink) *Slow {
	s := &Slow{make(chan int, queueSize), make(chan struct{})}
	go s.run(size, sink)
	return s
}

// Add adds an item. It must not be called after Close.
func (s *Slow) Add(item int) { s.in <- item }

// Close passes on what is left and ends the batcher.
func (s *Slow) Close() error {
	close(s.in)
	<-s.done
	return nil
}

func (s *Slow) run(size int, sink Sink) {
	defer close(s.done)
	buf := make([]int, 0, size)
	for item := range s.in {
		if buf = append(buf, item); len(buf) == size {
			sink(buf)
			buf = buf[:0]
		}
	}
	if len(buf) > 0 {
		sink(buf)
	}
}
