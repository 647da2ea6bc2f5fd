package batcher

// The books: what was accepted, and what became of it.

import "time"

// Stats is a consistent snapshot of a batcher. At every moment,
//
//	Added = Flushed + Failed + Dropped + Returned + Folded + Pending.
//
// Counters never decrease. For a [Combiner], an item is an entry: a key of a batch,
// with all the values that were combined under it.
type Stats struct {
	Added    int64 // items accepted
	Flushed  int64 // items that the flush function has taken
	Failed   int64 // items given up: the flush function failed them for good
	Dropped  int64 // items dropped under DropNewest or DropOldest
	Returned int64 // items handed back by Close
	Folded   int64 // entries that WithFoldBack has combined into newer ones
	Pending  int64 // items held now

	// Merged counts the values that a Combiner has combined into an entry
	// that was there already. They are not in Added.
	Merged int64

	Retries int64 // attempts that followed a failed one; those after a split do not count

	// Batches counts the batches that were sealed, by reason:
	// Batches[ReasonSize]. Index 0 is unused.
	Batches BatchCounts

	// QueueDepth is how many batches wait for a worker now. One that is due counts while it still
	// fills, as it does until a worker takes it. While workers that are free have not yet taken
	// theirs, these count too: for a moment there may be up to WithWorkers more than WithQueueDepth
	// says.
	QueueDepth int

	Running   int           // batches that a worker has taken, retry pauses included
	Waiting   int           // producers that wait for room
	OldestAge time.Duration // since the oldest batch held got its first item; 0 if none is held
}

// BatchCounts holds a number for each [Reason], by which it is indexed.
type BatchCounts [reasonCount]int64

// books are the counters behind Stats, under the engine's lock. Items are counted
// when their batch is sealed, so adding one costs no counter: until then the
// length of the filling batch says it.
type books struct {
	added, flushed, failed, dropped, returned int64
	folded, merged                            int64
	retries                                   int64
	batches                                   BatchCounts
}

// giveUp counts n items that will not be flushed.
func (k *books) giveUp(n int, failure *FlushError) {
	if failure.dropped() {
		k.dropped += int64(n)
	} else {
		k.failed += int64(n)
	}
}

func (e *engine[T]) stats() Stats {
	e.in.lock()
	defer e.in.unlock()
	filling, waiting, oldest := e.in.heldLocked()
	e.mu.Lock()
	defer e.mu.Unlock()
	k := &e.books
	s := Stats{
		Added:      k.added + int64(filling),
		Flushed:    k.flushed,
		Failed:     k.failed,
		Dropped:    k.dropped,
		Returned:   k.returned,
		Folded:     k.folded,
		Merged:     k.merged,
		Retries:    k.retries,
		Batches:    k.batches,
		QueueDepth: e.queue.len + e.parked.len,
		Running:    e.running.len,
		Waiting:    waiting,
	}
	s.Pending = s.Added - s.Flushed - s.Failed - s.Dropped - s.Returned - s.Folded
	if s.Pending > 0 {
		s.OldestAge = e.oldestAgeLocked(oldest)
	}
	return s
}

// oldestAgeLocked returns the age of the oldest batch held, given when the oldest filling
// one began, or a chunk in a lane. In the queue the first is the oldest, unless there
// are keys.
func (e *engine[T]) oldestAgeLocked(oldest time.Time) time.Duration {
	for b := range e.running.all() { // with values that were folded back, not the first one either
		oldest = earlier(oldest, b.firstAdded)
	}
	for _, b := range []*batch[T]{e.queue.first, e.parked.first} {
		if b != nil {
			oldest = earlier(oldest, b.firstAdded)
		}
	}
	return time.Since(oldest)
}

// noteMerged sets the number of values merged. The intake counts them by itself.
func (e *engine[T]) noteMerged(n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.books.merged = n
}
