package slowflush

// The fast side: a bounded queue of batches between the loop and a worker.

// Fast hands full batches over to a worker and goes on reading. While the worker is in the sink,
// up to depth batches wait for it; beyond that the loop stands still, and with it the producers.
//
// This bound is what decides how much memory a slow sink may cost, and how long a burst may be that
// nobody notices. Without it (a goroutine for each flush) the producers never wait, until the
// process is out of memory. The library's bound is WithQueueDepth, and WithOverflow says
// what then happens (engine.go).
type Fast struct {
	in   chan int      // the producers send; Close closes
	full chan []int    // the loop sends and closes, the worker receives; its capacity is the bound
	free chan []int    // slices that the worker is done with, for the loop; of the same capacity
	done chan struct{} // closed by the worker when it ends
}

// NewFast starts a batcher for batches of size items, depth of which may wait for the worker.
func NewFast(size, depth int, sink Sink) *Fast {
	f := &Fast{
		in:   make(chan int, queueSize),
		full: make(chan []int, depth),
		free: make(chan []int, depth),
		done: make(chan struct{}),
	}
	go f.run(size)
	go f.work(sink)
	return f
}

// Add adds an item. It must not be called after Close.
func (f *Fast) Add(item int) { f.in <- item }

// Close passes on what is left and ends the batcher.
func (f *Fast) Close() error {
	close(f.in)
	<-f.done
	return nil
}

func (f *Fast) run(size int) {
	defer close(f.full)
	buf := make([]int, 0, size)
	for item := range f.in {
		if buf = append(buf, item); len(buf) == size {
			f.full <- buf // the worker owns it now
			buf = f.slice(size)
		}
	}
	if len(buf) > 0 {
		f.full <- buf
	}
}

// slice returns an empty slice, which the worker has had before if there is one.
func (f *Fast) slice(size int) []int {
	select {
	case buf := <-f.free:
		return buf[:0]
	default:
		return make([]int, 0, size)
	}
}

func (f *Fast) work(sink Sink) {
	defer close(f.done)
	for batch := range f.full {
		sink(batch)
		select {
		case f.free <- batch:
		default: // enough of them
		}
	}
}
