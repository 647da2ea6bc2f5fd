package proptest

// The real batcher under a script: its flush function, its dead letter handler
// and the calls on it, all recorded.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// callRecord is a call of the flush function.
type callRecord struct {
	at, end  time.Duration // end is -1 while it runs
	items    []Item
	info     batcher.Info
	deadline time.Duration
	nth      int
	gate     chan struct{} // closed to release it; nil if it is not held
	released bool
	kept     []Item // the slice, under WithoutReuse
}

// letterRecord is an item that reached the dead letter handler.
type letterRecord struct {
	at       time.Duration
	err      error
	attempts int
	size     int
	info     batcher.Info
}

// innerRecord is a call from inside a flush.
type innerRecord struct {
	lead, nth, n int
	err          error
}

// world is a batcher and all that was seen of it.
type world struct {
	cfg   Config
	b     *batcher.Batcher[Item]
	base  context.Context
	start time.Time

	mu       sync.Mutex // guards the fields below
	plans    Plans
	led      map[int]int
	calls    []*callRecord
	pieces   map[pieceName][]int // what attempts were made at, by ID
	tried    map[uint64]bool     // numbers of the batches that attempts were made at
	running  int                 // flushes
	handling int                 // dead letter handlers
	letters  map[int]letterRecord
	letterAt map[int]time.Duration // how long the handler takes, by first item
	good     map[int]bool          // flushed, by what flush functions returned
	ops      []*opRecord
	inners   []innerRecord
	receipts map[int]batcher.Receipt
	accepted map[int]bool // all items whose acceptance has been reported
	began    map[int]int  // number of the operation that brought an item: when it started
	ended    map[int]int  // and when it was known to be accepted
	clock    int          // counts starts and ends of operations
	newest   int          // highest began of all items seen by a flush
	pauses   []Pause
	hooks    [3]int // FlushStart, FlushEnd, DeadLetter items
	cut      []cut
	problems []string
	gone     time.Duration // when a Close gave up, -1 before
	closed   bool          // Close has been called and took effect
	free     bool          // holds do not hold any more
}

// cut is a flush whose context had ended without a timeout: a Close must have
// given up at that instant.
type cut struct {
	at    time.Duration
	cause error
}

type (
	baseKey struct{}
	hookKey struct{}
)

func newWorld(cfg Config, extra ...batcher.Option) *world {
	w := &world{
		cfg: cfg, start: time.Now(), plans: make(Plans), led: make(map[int]int), letters: make(map[int]letterRecord),
		letterAt: make(map[int]time.Duration), good: make(map[int]bool), receipts: make(map[int]batcher.Receipt),
		accepted: make(map[int]bool), began: make(map[int]int), ended: make(map[int]int), pieces: make(map[pieceName][]int),
		tried: make(map[uint64]bool), gone: -1,
	}
	base, cancel := context.WithCancel(context.WithValue(context.Background(), baseKey{}, w))
	cancel() // must have no effect
	w.base = base
	b, err := batcher.New(w.flush, append(w.options(), extra...)...)
	if err != nil {
		panic(err)
	}
	w.b = b
	return w
}

func (w *world) now() time.Duration { return time.Since(w.start) }

// problem notes a broken promise seen on another goroutine than the driver's.
func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problemLocked(format, args...)
}

func (w *world) problemLocked(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// flush is the flush function.
func (w *world) flush(ctx context.Context, batch []Item) error {
	if len(batch) == 0 {
		w.problem("P3: flush of an empty batch")
		return nil
	}
	rec, beh := w.enter(ctx, batch)
	w.wait(ctx, beh.Honour, beh.Delay, nil)
	w.callBack(ctx, rec, beh)
	ended := w.wait(ctx, beh.Honour, beh.Work, rec.gate)
	w.mu.Lock()
	rec.kept = batch
	w.mu.Unlock()
	if !w.cfg.Keep {
		scribble(beh.Scribble, batch)
	}
	return w.leave(ctx, rec, beh, ended)
}

// enter checks a call and notes it.
func (w *world) enter(ctx context.Context, batch []Item) (*callRecord, Behaviour) {
	rec := &callRecord{at: w.now(), end: -1, items: slices.Clone(batch)}
	info, ok := batcher.InfoFrom(ctx)
	rec.info = info
	if at, has := ctx.Deadline(); has {
		rec.deadline = at.Sub(w.start)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !ok || info.Size != len(batch) || info.Name != "proptest" || info.Key != nil:
		w.problemLocked("InfoFrom: %+v, %v for %d items", info, ok, len(batch))
	case cap(batch) != len(batch):
		w.problemLocked("P10: len %d, cap %d", len(batch), cap(batch))
	case len(batch) > w.cfg.MaxSize:
		w.problemLocked("P3: a batch of %d with MaxSize %d", len(batch), w.cfg.MaxSize)
	case ctx.Value(baseKey{}) != w:
		w.problemLocked("P9: the base context's value is missing")
	case w.cfg.Hooks && len(batch) > 2 && ctx.Value(hookKey{}) != len(batch):
		w.problemLocked("hooks: the context of FlushStart is not passed on")
	case ctx.Err() != nil && w.gone < 0:
		w.cut = append(w.cut, cut{rec.at, context.Cause(ctx)})
	case w.gone >= 0 && rec.at > w.gone:
		w.problemLocked("P8: a flush began at %v, after Close gave up at %v", rec.at, w.gone)
	}
	w.checkItemsLocked(batch)
	w.checkNameLocked(info, batch)
	rec.nth = w.led[batch[0].ID]
	w.led[batch[0].ID]++
	beh := w.plans.Get(batch[0].ID, rec.nth)
	if beh.Hold && !w.free {
		rec.gate = make(chan struct{})
	}
	w.calls = append(w.calls, rec)
	if w.running++; w.running > w.cfg.Workers {
		w.problemLocked("P5: %d flushes at once with %d workers", w.running, w.cfg.Workers)
	}
	return rec, beh
}

// pieceName is what Info says of a piece, whatever the attempt.
type pieceName struct {
	batch        uint64
	offset, size int
}

// checkNameLocked checks that attempts at one piece, and only those, have the same name.
func (w *world) checkNameLocked(info batcher.Info, batch []Item) {
	name := pieceName{info.Batch, info.Offset, info.Size}
	before, known := w.pieces[name]
	switch {
	case info.Batch == 0:
		w.problemLocked("Info: a batch without a number: %+v", info)
	case known && info.Attempt == 1:
		w.problemLocked("Info: a new piece has the name of another: %+v", info)
	case known && !slices.Equal(before, ids(batch)):
		w.problemLocked("Info: %v and %v have the name %+v", before, ids(batch), name)
	case info.First && w.tried[info.Batch], !info.First && !w.tried[info.Batch] && !w.cfg.Evil: // a hook may have ended the first
		w.problemLocked("Info: First is %v, with attempts before: %v: %+v", info.First, w.tried[info.Batch], info)
	}
	w.pieces[name] = ids(batch)
	w.tried[info.Batch] = true
}

// checkItemsLocked checks what a flush function may be given at all.
func (w *world) checkItemsLocked(batch []Item) {
	weight := 0
	seen := make(map[int]bool)
	for _, it := range batch {
		weight += it.Weight
		_, dead := w.letters[it.ID]
		switch {
		case it.ID == 0 || w.began[it.ID] == 0:
			w.problemLocked("P10: an item that nobody added: %v", it)
		case seen[it.ID]:
			w.problemLocked("P1: item %d is twice in a batch", it.ID)
		case w.good[it.ID]:
			w.problemLocked("P1: item %d is flushed again", it.ID)
		case dead:
			w.problemLocked("P1: item %d is flushed after it was given up", it.ID)
		}
		seen[it.ID] = true
		if end := w.ended[it.ID]; w.cfg.Workers == 1 && end > 0 && end < w.newest && w.led[it.ID] == 0 && !w.seenLocked(it.ID) {
			w.problemLocked("P2: item %d is flushed after items that came later", it.ID)
		}
	}
	for id := range seen {
		w.newest = max(w.newest, w.began[id])
	}
	if w.cfg.MaxWeight > 0 && weight > w.cfg.MaxWeight {
		w.problemLocked("P3: a weight of %d with MaxWeight %d", weight, w.cfg.MaxWeight)
	}
}

// seenLocked reports whether a flush has had the item before.
func (w *world) seenLocked(id int) bool {
	for _, c := range w.calls {
		if slices.ContainsFunc(c.items, func(it Item) bool { return it.ID == id }) {
			return true
		}
	}
	return false
}

// wait is the flush function's work: for a time, or until a gate opens. It
// returns the context's error if it honours the context and that ends first.
func (w *world) wait(ctx context.Context, honour bool, d time.Duration, gate chan struct{}) error {
	done := ctx.Done()
	if !honour {
		done = nil
	}
	if gate != nil {
		select {
		case <-gate:
			return nil
		case <-done:
			return ctx.Err()
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-done:
		return ctx.Err()
	}
}

// callBack makes the inner call of a behaviour.
func (w *world) callBack(ctx context.Context, rec *callRecord, beh Behaviour) {
	in := innerRecord{lead: rec.items[0].ID, nth: rec.nth}
	before := w.tick()
	w.mu.Lock()
	for _, it := range beh.Items {
		w.began[it.ID] = before
	}
	w.mu.Unlock()
	switch beh.Inner {
	case InnerAdd:
		in.err = w.b.Add(ctx, beh.Items[0])
	case InnerTryAdd:
		in.err = w.b.TryAdd(beh.Items[0])
	case InnerSubmit:
		var r batcher.Receipt
		if r, in.err = w.b.Submit(ctx, beh.Items[0]); in.err == nil {
			w.keepReceipt(beh.Items[0].ID, r)
			if err := r.Wait(ctx); w.cfg.Overflow == batcher.Block && !errors.Is(err, batcher.ErrReentrant) && !w.isGone() {
				w.problem("P11: Wait inside a flush: %v", err)
			}
		}
	case InnerAddAll:
		in.n, in.err = w.b.AddAll(ctx, beh.Items)
	case InnerForbidden:
		w.forbidden(ctx)
		return
	default:
		return
	}
	if beh.Inner != InnerAddAll && in.err == nil {
		in.n = 1
	}
	w.noteAccepted(beh.Items[:in.n])
	w.mu.Lock()
	w.inners = append(w.inners, in)
	w.mu.Unlock()
	_ = w.b.Stats()
}

// forbidden makes the calls that would wait for the flush that makes them.
func (w *world) forbidden(ctx context.Context) {
	ctx = context.WithValue(ctx, struct{ int }{}, 1)
	for name, err := range map[string]error{
		"Flush":   w.b.Flush(ctx),
		"Close":   w.b.Close(ctx),
		"AddWait": w.b.AddWait(ctx, Item{ID: -1}),
	} {
		if !errors.Is(err, batcher.ErrReentrant) && !errors.Is(err, batcher.ErrClosed) && !w.isGone() {
			w.problem("P11: %s inside a flush: %v", name, err)
		}
	}
}

func (w *world) isGone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone >= 0
}

// tick returns the next number of the script's logical clock.
func (w *world) tick() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock++
	return w.clock
}

func (w *world) noteAccepted(items []Item) {
	at := w.tick()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range items {
		w.accepted[it.ID] = true
		w.ended[it.ID] = at
	}
}

func (w *world) keepReceipt(id int, r batcher.Receipt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receipts[id] = r
}

func scribble(how Scribble, batch []Item) {
	switch how {
	case ScribbleSort:
		slices.SortFunc(batch, func(a, b Item) int { return b.ID - a.ID })
	case ScribbleZero:
		for i := range batch {
			batch[i] = Item{ID: -7, Weight: 1 << 30}
		}
	case ScribbleTail:
		short := batch[:len(batch)/2]
		for range len(batch) {
			short = append(short, Item{ID: -8})
		}
		_ = short
	}
}

// leave notes the result of a call and returns it, in whatever way.
func (w *world) leave(ctx context.Context, rec *callRecord, beh Behaviour, ended error) error {
	n, lead := len(rec.items), rec.items[0].ID
	w.mu.Lock()
	if w.gone < 0 && ended == nil && ctx.Err() != nil && w.cfg.Timeout == 0 {
		w.cut = append(w.cut, cut{w.now(), context.Cause(ctx)})
	}
	rec.end = w.now()
	w.running--
	whole := true
	if ended == nil && beh.End == EndReturn && w.gone < 0 {
		j := beh.Tree.Judge(n, w.cfg.RetryIf)
		whole = j.Items == nil
		for i, it := range rec.items {
			if j.Items == nil && j.Whole == Good || j.Items != nil && j.Items[i] == Good {
				w.good[it.ID] = true
			}
		}
	}
	delete(w.letterAt, lead)
	if whole {
		w.letterAt[lead] = beh.Letter
	}
	w.mu.Unlock()
	leaf := Leaf{Lead: lead, Nth: rec.nth, Index: -1}
	switch {
	case ended != nil:
		return fmt.Errorf("flush: %w", errors.Join(ended, leaf))
	case beh.End == EndPanic:
		panic(leaf)
	case beh.End == EndGoexit:
		runtime.Goexit()
	}
	return beh.Tree.Build(n, leaf)
}

// letter is the dead letter handler.
func (w *world) letter(ctx context.Context, letter batcher.DeadLetter[Item]) {
	rec := letterRecord{at: w.now(), err: letter.Err, attempts: letter.Attempts, size: len(letter.Items), info: letter.Info}
	if letter.Info.Size != len(letter.Items) || len(letter.Items) == 0 {
		w.problem("dead letter with %d items and Info.Size %d", len(letter.Items), letter.Info.Size)
		return
	}
	w.mu.Lock()
	for _, it := range letter.Items {
		switch _, twice := w.letters[it.ID]; {
		case twice:
			w.problemLocked("P1: item %d is given up twice", it.ID)
		case w.good[it.ID]:
			w.problemLocked("P1: item %d is given up after it was flushed", it.ID)
		case it.ID <= 0:
			w.problemLocked("P10: a dead letter with a scribbled item %v", it)
		}
		w.letters[it.ID] = rec
	}
	w.handling++
	took := w.letterAt[letter.Items[0].ID]
	if errors.Is(letter.Err, batcher.ErrDropped) || w.free {
		took = 0
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.handling--
	}()
	_ = w.b.Stats() // no lock may be held here
	scribble(ScribbleZero, letter.Items)
	if took > 0 {
		time.Sleep(took)
	}
	if w.cfg.Evil {
		panic("a panic in the dead letter handler must be harmless")
	}
}
