package batcher

// Lanes: the intake of a Batcher in several pieces, so that producers on many cores
// seldom meet at one lock. See WithLanes.

import (
	"context"
	"sync"
	"time"
	"unsafe"
)

// lanes are the lanes of a Batcher. A nil *lanes is none.
//
// An item that went into a lane is accepted: it counts, it has its delay from then on,
// and Flush and Close wait for it. What is in the lanes is moved to the filling batch
//
//   - by the Add that fills a chunk, its own chunk only;
//   - by the timer, by Flush, and by a worker that has made room, all chunks: so the
//     batch that leaves is as full as can be;
//   - by Close, all chunks, whether there is room or not.
//
// Lock order: the lanes by index, then the intake's, then the engine's. Add takes
// one lane's lock and lets go of it before it does anything that could wait.
type lanes[T any] struct {
	all    []lane[T] // at least 2, a power of two
	chunk  int       // how many items a lane holds at most
	spares sync.Pool // of *[]T, empty: the buffers of lanes that are not busy
}

// lane gathers a chunk of items. Two never share a cache line, nor a pair of lines,
// which processors like to fetch together.
type lane[T any] struct {
	laneState[T]
	_ [128 - unsafe.Sizeof(laneState[struct{}]{})%128]byte
}

type laneState[T any] struct {
	mu    sync.Mutex // guards the fields below; never held while waiting or in user code
	items []T        // the chunk
	bound int        // while len(items) < bound, an item may simply be appended

	// Of a chunk that is not empty. When a part of it has been moved, what is left
	// keeps both: it is then a little early, and Flush a little late.
	first time.Time // when its first item was accepted
	epoch *epoch    // counts it like a batch, so that Flush waits for it

	buffer *[]T // what the chunk goes back to the spares in; nil if it did not come from there
}

const (
	minChunk = 8  // below that, lanes cost more than they save
	maxChunk = 64 // beyond that, nothing is gained
)

// laneSizes returns how many lanes there are and how much each holds at most, where
// n are wished for. All together hold at most half a batch: so one batch always takes
// all of them, with as much room for those who wait. Fewer than 2 lanes are none.
func laneSizes(n, maxSize int) (lanes, chunk int) {
	lanes = powerOfTwo(n)
	for lanes > 1 && maxSize/2/lanes < minChunk {
		lanes /= 2
	}
	return lanes, min(maxSize/2/lanes, maxChunk)
}

func newLanes[T any](n, maxSize int) *lanes[T] {
	count, chunk := laneSizes(n, maxSize)
	if count < 2 {
		return nil
	}
	return &lanes[T]{all: make([]lane[T], count), chunk: chunk}
}

// pick returns the calling goroutine's lane: by the place of its stack, which costs
// nothing to find out. Stacks lie apart by 2 KiB at least. A goroutine changes lanes
// when its stack grows, or if it calls from very different depths, which does no harm.
func (ls *lanes[T]) pick() *lane[T] {
	var here byte
	stack := uint64(uintptr(unsafe.Pointer(&here))) >> 11
	const spread = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	return &ls.all[stack*spread>>32&uint64(len(ls.all)-1)]
}

// each returns the lanes, none if ls is nil.
func (ls *lanes[T]) each() []lane[T] {
	if ls == nil {
		return nil
	}
	return ls.all
}

func (ls *lanes[T]) lock() {
	all := ls.each()
	for i := range all {
		acquire(&all[i].mu)
	}
}

func (ls *lanes[T]) unlock() {
	all := ls.each()
	for i := range all {
		all[i].mu.Unlock()
	}
}

// heldLocked returns how many items are in the lanes, and when the oldest of them was
// accepted.
func (ls *lanes[T]) heldLocked() (items int, oldest time.Time) {
	all := ls.each()
	for i := range all {
		if l := &all[i]; len(l.items) > 0 {
			items += len(l.items)
			oldest = earlier(oldest, l.first)
		}
	}
	return items, oldest
}

// restLocked lets go of the buffer of l, whose chunk is empty and not likely to be
// filled soon. A busy lane takes it back at once, from an idle batcher the garbage
// collector takes it.
func (ls *lanes[T]) restLocked(l *lane[T]) {
	if l.items == nil {
		return
	}
	if l.buffer == nil {
		l.buffer = new([]T)
	}
	*l.buffer = l.items
	ls.spares.Put(l.buffer)
	l.items, l.buffer = nil, nil
}

// addTo accepts one item through lane l, or if there is no room, by whatever it takes.
func (b *Batcher[T]) addTo(l *lane[T], ctx context.Context, item T) error {
	if !l.mu.TryLock() {
		acquire(&l.mu)
	}
	if len(l.items) < l.bound {
		l.items = append(l.items, item)
		l.mu.Unlock()
		return nil
	}
	accepted := b.addToLocked(l, item)
	l.mu.Unlock()
	if accepted {
		return nil
	}
	return b.addOne(ctx, item, b.engine.overflow, nil)
}

// addToLocked is addTo for an item that begins a chunk, or fills it, or finds it full.
// It reports false if there is no room in it, or if the batcher is closed.
func (b *Batcher[T]) addToLocked(l *lane[T], item T) (accepted bool) {
	acquire(&b.mu)
	defer b.mu.Unlock()
	if b.closed || len(l.items) == b.lanes.chunk && !b.unloadLocked(l) {
		return false
	}
	if len(l.items) == 0 {
		b.beginChunkLocked(l)
	}
	l.items = append(l.items, item)
	if len(l.items) == b.lanes.chunk {
		b.unloadLocked(l)
	}
	return true
}

// beginChunkLocked gets l ready for the first item of a chunk, and sees to it that the
// timer comes for it.
func (b *Batcher[T]) beginChunkLocked(l *lane[T]) {
	if l.items == nil {
		if buffer, ok := b.lanes.spares.Get().(*[]T); ok {
			l.buffer, l.items = buffer, *buffer
		}
	}
	l.bound = b.lanes.chunk - 1
	l.first = time.Now()
	l.epoch = b.engine.joinEpoch()
	b.deadline.arm(b.engine.maxDelay, b.startTick)
}

// unloadLocked moves the chunk of l to the filling batch, or what there is room for,
// unless others come first. It reports whether there is room in the chunk now. If there
// is not, nobody needs to come back for it: the next Add tries again, and the timer
// comes in any case.
func (b *Batcher[T]) unloadLocked(l *lane[T]) bool {
	if b.othersFirstLocked() {
		return false
	}
	b.moveLocked(l, false) // the timer is set for the chunk, so for the batch as well
	return len(l.items) < b.lanes.chunk
}

// drainLocked moves all chunks to the filling batch, and makes that due if it is time.
// What there is no room for lags: admit is called when there is, and drains again.
// Nobody else can take that room before, see othersFirstLocked. If it opens a batch while
// producers wait in line, they are let in, as far as there is room in it. All locks are
// held.
func (b *Batcher[T]) drainLocked() {
	if b.lanes == nil {
		return
	}
	b.lagging = false
	for i := range b.lanes.all {
		l := &b.lanes.all[i]
		if len(l.items) > 0 && !b.moveLocked(l, true) {
			b.lagging = true
			break
		}
		b.lanes.restLocked(l)
	}
	if b.open != nil {
		b.letInLocked()
	}
	b.armOpenLocked()
}

// moveLocked moves items from the chunk of l to the filling batch, and to further ones if
// that fills it, as far as there is room. It reports whether the chunk is empty now.
// willWait means that admit is to be called if it is not.
func (b *Batcher[T]) moveLocked(l *lane[T], willWait bool) (empty bool) {
	rest := l.items
	for len(rest) > 0 && b.makeRoomLocked(0, willWait) {
		b.adoptLocked(l)
		rest = rest[b.takeOverLocked(rest):]
	}
	n := copy(l.items, rest)
	clear(l.items[n:])
	l.items = l.items[:n]
	if n > 0 {
		return false
	}
	l.bound = 0
	b.engine.leaveEpoch(l.epoch)
	l.epoch = nil // it would keep all later ones alive
	return true
}

// adoptLocked makes the filling batch as old as the chunk of l, of which it is given
// items, and makes it due if a Flush waits for the chunk.
func (b *Batcher[T]) adoptLocked(l *lane[T]) {
	open := b.open
	open.firstAdded = earlier(open.firstAdded, l.first)
	if open.epoch != l.epoch && b.engine.regroup(open, l.epoch) && !open.queued {
		b.engine.enqueue(open, ReasonFlush)
	}
}

// takeOverLocked appends what fits of items to the filling batch, and seals it if it
// is full. It returns how many that were.
func (b *Batcher[T]) takeOverLocked(items []T) int {
	n := min(len(items), b.engine.maxSize-len(b.items))
	b.items = append(b.items, items[:n]...)
	if len(b.items) == b.engine.maxSize {
		b.sealLocked(ReasonSize)
	}
	return n
}

// leaveEpoch takes a chunk out of its epoch.
func (e *engine[T]) leaveEpoch(of *epoch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.epochs.leave(of)
}

// regroup moves b to the epoch of items that it is given, if that is earlier. It reports
// whether a Flush waits for b now. The intake's lock is held.
func (e *engine[T]) regroup(b *batch[T], to *epoch) (awaited bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b.epoch = e.epochs.regroup(b.epoch, to)
	return e.epochs.awaited(b.epoch)
}

// earlier returns the earlier of two times. Zero is no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
