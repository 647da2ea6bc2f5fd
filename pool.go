package batcher

// Batches, who owns one when, and what is kept of it for the next.

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// batch is a group of items on its way. It has one owner at a time:
//
//   - the intake, while it is filling: under the intake's lock;
//   - the queue, from being sealed until a worker takes it: under the engine's
//     lock. A batch that is due is queued while it is still filling; then it
//     has both, and the intake owns the items;
//   - the worker, from then on, until it hands the batch back to the pool.
//
// Close, when it gives up, and Stats read it under all the locks.
type batch[T any] struct {
	links[batch[T]] // in one of the engine's lists, under the engine's lock

	items      []T // as accepted; the intake may have them while it is filling. Zero beyond len
	pos        int // items[:pos] are settled; written by the worker, under the engine's lock
	weight     int
	firstAdded time.Time
	filledFor  time.Duration // from firstAdded until it was sealed
	epoch      *epoch
	tried      int       // attempts that values folded back into it have behind them
	fates      *fates    // nil if nobody has a receipt
	of         keyed     // whose items these are; nil without keys
	next       *batch[T] // of the same key; the intake's

	// Written under the intake's and the engine's lock, so read under either.
	filling bool   // the intake may still add to it
	queued  bool   // it is in the queue, or was
	reason  Reason // why it was queued, then why it was sealed

	taken bool // a worker has taken it from the queue; under the engine's lock
	gone  bool // out of the engine's lists and its epoch; the owner's

	*delivery // the worker's, while it has the batch
}

// keyed is what a batch belongs to, where batches have keys.
type keyed interface {
	boxedKey() any
}

func (b *batch[T]) linked() *links[batch[T]] { return &b.links }

// pool recycles batches and the slices lent to the flush function. Each batcher
// has its own: what is in it goes when the batcher goes, and the garbage collector
// empties it when it is idle.
type pool[T any] struct {
	batches    sync.Pool    // of *batch[T], blank but for the capacity of items
	deliveries sync.Pool    // of *delivery, blank but for the capacity of ends
	loans      sync.Pool    // of *loan[T], cleared
	usual      atomic.Int64 // a slowly falling maximum of the sizes of recent batches
}

// loan is a slice lent to the flush function for one attempt.
type loan[T any] struct{ items []T }

// smallBuffer is the size in bytes up to which a buffer is always kept.
const smallBuffer = 4 << 10

// get returns a blank batch, which the caller owns.
func (p *pool[T]) get() *batch[T] {
	if b, ok := p.batches.Get().(*batch[T]); ok {
		return b
	}
	return new(batch[T])
}

// equip gives b what its delivery needs.
func (p *pool[T]) equip(b *batch[T]) {
	var ok bool
	if b.delivery, ok = p.deliveries.Get().(*delivery); !ok {
		b.delivery = new(delivery)
	}
}

// put takes ownership of b, forgets everything in it, and keeps its buffer
// unless that is far larger than what is usual now.
func (p *pool[T]) put(b *batch[T]) {
	if d := b.delivery; d != nil {
		*d = delivery{ends: d.ends[:0]}
		p.deliveries.Put(d)
	}
	items := b.items
	clear(items)
	if !p.worthKeeping(cap(items)) {
		items = nil
	}
	*b = batch[T]{items: items[:0]}
	p.batches.Put(b)
}

// lend returns a copy of items with len = cap, for the flush function to own.
func (p *pool[T]) lend(items []T) *loan[T] {
	l, ok := p.loans.Get().(*loan[T])
	if !ok {
		l = new(loan[T])
	}
	if cap(l.items) < len(items) {
		l.items = make([]T, max(len(items), min(int(p.usual.Load()), 2*len(items))))
	}
	l.items = l.items[:len(items):cap(l.items)]
	copy(l.items, items)
	return l
}

// takeBack takes ownership of l and clears what was lent: all of it, by the
// loan's own header, whatever the flush function did with its.
func (p *pool[T]) takeBack(l *loan[T]) {
	clear(l.items)
	if p.worthKeeping(cap(l.items)) {
		p.loans.Put(l)
	}
}

// note takes the size of a batch into account. Concurrent calls may lose one
// another's news, which does no harm.
func (p *pool[T]) note(size int) {
	usual := p.usual.Load()
	if n := int64(size); n >= usual {
		usual = n
	} else {
		usual -= (usual - n + 7) / 8
	}
	p.usual.Store(usual)
}

func (p *pool[T]) worthKeeping(capacity int) bool {
	var item T
	return int64(capacity) <= 2*p.usual.Load() || capacity <= smallBuffer/max(1, int(unsafe.Sizeof(item)))
}
