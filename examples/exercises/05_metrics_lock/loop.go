package metricslock

// Where the counter stands: in the Add of a batcher with a channel.

// queueSize is how many items may wait in the channel.
const queueSize = 1000

// Loop is a batcher with a channel that counts each item.
//
// It counts before it sends. The other way round, an item may have been flushed before it was
// counted: the producer is interrupted between the two, and somebody who looks at the metrics
// sees more flushed than were ever added.
type Loop struct {
	count Counter       // nil if nothing is counted
	in    chan int      // the producers send; Close closes
	done  chan struct{} // closed by run when it ends
}

// NewLoop starts a batcher for batches of size items. The sink must not keep the slice. It
// counts the items with count, or not at all if that is nil.
func NewLoop(size int, count Counter, sink func(batch []int)) *Loop {
	l := &Loop{count, make(chan int, queueSize), make(chan struct{})}
	go l.run(size, sink)
	return l
}

// Add adds an item. It must not be called after Close.
func (l *Loop) Add(item int) {
	if l.count != nil {
		l.count.Inc()
	}
	l.in <- item
}

// Added returns how many items were added, 0 if nobody counts.
func (l *Loop) Added() int64 {
	if l.count == nil {
		return 0
	}
	return l.count.Value()
}

// Close passes on what is left and ends the batcher.
func (l *Loop) Close() error {
	close(l.in)
	<-l.done
	return nil
}

func (l *Loop) run(size int, sink func([]int)) {
	defer close(l.done)
	buf := make([]int, 0, size)
	for item := range l.in {
		if buf = append(buf, item); len(buf) == size {
			sink(buf)
			buf = buf[:0]
		}
	}
	if len(buf) > 0 {
		sink(buf)
	}
}
