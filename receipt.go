package batcher

// Receipts: how a caller learns the fate of its own item.

import (
	"context"
	"sort"
	"sync"
)

// Receipt stands for one accepted item; Submit returns it. It resolves when that
// item has met its fate, which may be earlier than its batch: a partial failure
// settles the items that were flushed at once. A Receipt is a small value and may
// be copied; all methods may be called from any goroutine, and often. Wait and Done
// panic on the zero Receipt, which comes with an error.
//
// The fate of an item is
//   - nil: it was flushed;
//   - a [*FlushError]: it was given up, or dropped ([ErrDropped]);
//   - an error that is [ErrClosed]: Close handed it back.
type Receipt struct {
	fates *fates
	index int // the item's place in its batch as accepted
}

// Wait waits for the item's fate and returns it. When ctx ends first, it returns
// the cause of ctx; the fate is then open, and the item goes on. An item whose
// fate is known is answered whatever the state of ctx. Inside a flush of the
// same batcher, Wait does not wait: it returns [ErrReentrant] if the fate is open.
//
// Wait panics if ctx is nil.
func (r Receipt) Wait(ctx context.Context) error {
	mustHaveContext(ctx, "Receipt.Wait")
	r.mustBeReal("Wait")
	return r.wait(ctx)
}

func (r Receipt) wait(ctx context.Context) error {
	for {
		open, err := r.fates.of(r.index)
		if open == nil {
			return err
		}
		if r.fates.life.inside(ctx) {
			return ErrReentrant
		}
		select {
		case <-open:
		case <-ctx.Done():
			if open, err = r.fates.of(r.index); open == nil {
				return err
			}
			return context.Cause(ctx)
		}
	}
}

// Done returns a channel that is closed once the item has met its fate; Wait
// then returns it at once. The channel is made at the first call of Done for
// this item.
func (r Receipt) Done() <-chan struct{} {
	r.mustBeReal("Done")
	return r.fates.done(r.index)
}

// mustBeReal panics with a clear message for the zero Receipt.
func (r Receipt) mustBeReal(method string) {
	if r.fates == nil {
		panic("batcher: Receipt." + method + ": zero Receipt, Submit did not accept the item")
	}
}

// fates holds what is known of the fates of one batch's items, for its receipts.
// It outlives the batch, which is recycled, and is left to the garbage collector.
//
// Items are settled from left to right, so that a position below upTo is decided,
// and never moves again. A partial failure permutes the undecided ones; place
// then says where an item stands now.
type fates struct {
	life *lifetime // to recognise calls from inside a flush

	mu       sync.Mutex            // guards the fields below; a leaf: nothing is locked under it
	upTo     int                   // positions below it are decided
	lost     []lostRun             // the decided positions that were not flushed, ascending
	place    []int                 // item -> position; nil while all stand where they were
	progress chan struct{}         // closed and dropped by announce; nil while nobody waits
	doneOf   map[int]chan struct{} // for Done: closed once that item is decided
}

// lostRun is a run of positions that share a fate other than having been flushed.
type lostRun struct {
	from, to int
	err      error
}

// settle decides the next n positions with err, nil for flushed. The waiters
// hear of it by announce. It does not block.
func (f *fates) settle(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.lost = append(f.lost, lostRun{f.upTo, f.upTo + n, err})
	}
	f.upTo += n
}

// permute notes that the item at position from+order[i] moves to from+i.
func (f *fates) permute(from int, order []int, size int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.place == nil {
		f.place = make([]int, size)
		for i := range f.place {
			f.place[i] = i
		}
	}
	itemAt := make([]int, size) // position -> item
	for item, position := range f.place {
		itemAt[position] = item
	}
	for i, source := range order {
		f.place[itemAt[from+source]] = from + i
	}
}

// announce wakes those who wait for what settle has decided.
func (f *fates) announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.progress != nil {
		close(f.progress)
		f.progress = nil
	}
	for item, done := range f.doneOf {
		if f.decidedLocked(item) {
			close(done)
			delete(f.doneOf, item)
		}
	}
}

// of returns an item's fate, or, while that is open, a channel that is closed when
// more is known about the batch.
func (f *fates) of(item int) (open <-chan struct{}, fate error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.decidedLocked(item) {
		if f.progress == nil {
			f.progress = make(chan struct{})
		}
		return f.progress, nil
	}
	position := f.positionLocked(item)
	i := sort.Search(len(f.lost), func(i int) bool { return position < f.lost[i].to })
	if i < len(f.lost) && f.lost[i].from <= position {
		return nil, f.lost[i].err
	}
	return nil, nil
}

// closedChan is what Done returns for an item whose fate is known. It is never
// written to, and shared by all.
var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (f *fates) done(item int) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.decidedLocked(item) {
		return closedChan
	}
	if f.doneOf[item] == nil {
		if f.doneOf == nil {
			f.doneOf = make(map[int]chan struct{})
		}
		f.doneOf[item] = make(chan struct{})
	}
	return f.doneOf[item]
}

func (f *fates) decidedLocked(item int) bool { return f.positionLocked(item) < f.upTo }

func (f *fates) positionLocked(item int) int {
	if f.place == nil {
		return item
	}
	return f.place[item]
}
