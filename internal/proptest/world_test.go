package proptest

// The real batcher under a script: its flush function, its dead letter handler
// and the calls on it, all recorded.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
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

// opRecord is a call by the script.
type opRecord struct {
	op     Op
	cause  error
	cancel context.CancelCauseFunc
	done   bool
	at     time.Duration
	n      int
	err    error
	late   bool // Close had been called when it began
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
	running  int // flushes
	handling int // dead letter handlers
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

// quiet is a log handler that looks at the batcher: no lock may be held here.
type quiet struct{ w *world }

func (quiet) Enabled(context.Context, slog.Level) bool { return true }

func (q quiet) Handle(context.Context, slog.Record) error {
	_ = q.w.b.Stats()
	return nil
}

func (q quiet) WithAttrs([]slog.Attr) slog.Handler { return q }
func (q quiet) WithGroup(string) slog.Handler      { return q }

func newWorld(cfg Config, extra ...batcher.Option) *world {
	w := &world{
		cfg: cfg, start: time.Now(), plans: make(Plans), led: make(map[int]int), letters: make(map[int]letterRecord),
		letterAt: make(map[int]time.Duration), good: make(map[int]bool), receipts: make(map[int]batcher.Receipt),
		accepted: make(map[int]bool), began: make(map[int]int), ended: make(map[int]int), gone: -1,
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

func (w *world) options() []batcher.Option {
	cfg := w.cfg
	opts := []batcher.Option{
		batcher.WithMaxSize(cfg.MaxSize),
		batcher.WithMaxDelay(cfg.MaxDelay),
		batcher.WithWorkers(cfg.Workers),
		batcher.WithQueueDepth(cfg.Depth),
		batcher.WithOverflow(cfg.Overflow),
		batcher.WithFlushTimeout(cfg.Timeout),
		batcher.WithRetry(cfg.Attempts, func(n int) time.Duration {
			_ = w.b.Stats()
			return cfg.Backoff * time.Duration(n)
		}),
		batcher.WithLogger(slog.New(quiet{w})),
		batcher.WithDeadLetter(w.letter),
		batcher.WithBaseContext(w.base),
		batcher.WithName("proptest"),
	}
	if cfg.MaxWeight > 0 {
		opts = append(opts, batcher.WithMaxWeight(cfg.MaxWeight, func(it Item) int {
			_ = w.b.Stats()
			return it.Weight
		}))
	}
	if cfg.Eager {
		opts = append(opts, batcher.WithEager())
	}
	if cfg.RetryIf {
		opts = append(opts, batcher.WithRetryIf(WorthIt))
	}
	if cfg.Bisect {
		opts = append(opts, batcher.WithBisect())
	}
	if cfg.Keep {
		opts = append(opts, batcher.WithoutReuse())
	}
	if cfg.Hooks {
		opts = append(opts, batcher.WithHooks(w.hookSet()))
	}
	return opts
}

// hookSet counts. Under evil hooks they also panic and exit, which must change
// nothing.
func (w *world) hookSet() batcher.Hooks {
	count := func(i, n int) {
		_ = w.b.Stats() // no lock may be held here
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hooks[i] += n
	}
	misbehave := func(n int) {
		if !w.cfg.Evil {
			return
		}
		switch n % 3 {
		case 0:
			panic("a panic in a hook must be harmless")
		case 1:
			runtime.Goexit()
		}
	}
	return batcher.Hooks{
		FlushStart: func(ctx context.Context, info batcher.Info) context.Context {
			count(0, 1)
			switch {
			case info.Size == 1:
				return nil
			case info.Size == 2 && w.cfg.Evil:
				panic("a panic in a hook must be harmless")
			}
			return context.WithValue(ctx, hookKey{}, info.Size)
		},
		FlushEnd: func(ctx context.Context, info batcher.Info, result batcher.FlushResult) {
			count(1, 1)
			if ctx.Err() == nil || info.Size > 2 && ctx.Value(hookKey{}) != info.Size {
				w.problem("hooks: FlushEnd has the wrong context for %d items", info.Size)
			}
			w.checkEnd(info, result)
			misbehave(info.Size)
		},
		Retry: func(_ context.Context, info batcher.Info, wait time.Duration, err error) {
			w.mu.Lock()
			w.pauses = append(w.pauses, Pause{At: w.now(), Wait: wait, Size: info.Size})
			w.mu.Unlock()
			misbehave(info.Size + 1)
		},
		DeadLetter: func(_ context.Context, info batcher.Info, err *batcher.FlushError) {
			if err.Items != info.Size {
				w.problem("hooks: DeadLetter got %d items with Info.Size %d", err.Items, info.Size)
			}
			count(2, err.Items)
			if errors.Is(err, batcher.ErrDropped) {
				misbehave(0) // runtime.Goexit would end the producer
			}
			misbehave(info.Size)
		},
	}
}

// checkEnd compares what FlushEnd is told with what the flush function did. With
// one worker it is the last call.
func (w *world) checkEnd(info batcher.Info, result batcher.FlushResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.Workers > 1 || w.gone >= 0 {
		return
	}
	call := w.calls[len(w.calls)-1]
	if result.Duration != call.end-call.at || info != call.info {
		w.problemLocked("hooks: FlushEnd got %v, %+v, the call from %v to %v had %+v", result.Duration, info, call.at, call.end, call.info)
	}
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

// run starts a call of the script.
func (w *world) run(op Op) *opRecord {
	rec := &opRecord{op: op, cause: fmt.Errorf("the context of operation %d ended", op.ID)}
	ctx, cancel := context.WithCancelCause(context.Background())
	rec.cancel = cancel
	if op.Ended {
		cancel(rec.cause)
	}
	if op.Deadline > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, w.start.Add(op.Deadline), rec.cause)
		rec.cancel = func(cause error) { cancel(cause); stop() }
	}
	began := w.tick()
	w.mu.Lock()
	for _, it := range op.Items {
		w.began[it.ID] = began
	}
	rec.late = w.closed
	w.ops = append(w.ops, rec)
	w.mu.Unlock()
	go func() {
		n, err := w.do(ctx, op)
		w.noteAccepted(op.Items[:n])
		w.mu.Lock()
		defer w.mu.Unlock()
		rec.done, rec.at, rec.n, rec.err = true, w.now(), n, err
		w.checkReturnLocked(rec, began)
		if ce := (*batcher.CloseError[Item])(nil); errors.As(err, &ce) && w.gone < 0 {
			w.gone = w.now()
		}
	}()
	return rec
}

// checkReturnLocked checks what a call promises by returning.
func (w *world) checkReturnLocked(rec *opRecord, began int) {
	switch {
	case w.cfg.Overflow == batcher.DropOldest:
		return // the handler of dropped items runs on another producer's goroutine, nobody waits for it
	case rec.op.Kind == OpClose && rec.err == nil:
		began = math.MaxInt
	case rec.op.Kind == OpFlush && w.gone < 0 && !errors.Is(rec.err, batcher.ErrClosed) && !errors.Is(rec.err, rec.cause):
	default:
		return
	}
	for id, end := range w.ended {
		if _, dead := w.letters[id]; end < began && !w.good[id] && !dead {
			w.problemLocked("P7/P8: %v returned %v, but item %d has no fate", rec.op, rec.err, id)
		}
	}
}

// do calls the batcher and returns how many items were accepted.
func (w *world) do(ctx context.Context, op Op) (n int, err error) {
	switch op.Kind {
	case OpAdd:
		err = w.b.Add(ctx, op.Items[0])
	case OpTryAdd:
		err = w.b.TryAdd(op.Items[0])
	case OpAddAll:
		items := slices.Clone(op.Items)
		n, err = w.b.AddAll(ctx, items)
		clear(items) // they remain the caller's
		return n, err
	case OpSubmit:
		var r batcher.Receipt
		if r, err = w.b.Submit(ctx, op.Items[0]); err == nil {
			w.keepReceipt(op.Items[0].ID, r)
		}
	case OpAddWait:
		err = w.b.AddWait(ctx, op.Items[0])
		if err == nil || errors.As(err, new(*batcher.FlushError)) {
			return 1, err
		}
		return 0, err // not known
	case OpFlush:
		return 0, w.b.Flush(ctx)
	case OpClose:
		return 0, w.b.Close(ctx)
	}
	if err == nil {
		n = 1
	}
	return n, err
}

// heldCalls returns the calls that wait for their gate, by first item.
func (w *world) heldCalls() []*callRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	var held []*callRecord
	for _, c := range w.calls {
		if c.gate != nil && !c.released && c.end < 0 && w.now() >= c.at+w.plans.Get(c.items[0].ID, c.nth).Delay {
			held = append(held, c)
		}
	}
	slices.SortFunc(held, func(a, b *callRecord) int { return a.items[0].ID - b.items[0].ID })
	return held
}

func (w *world) release(c *callRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.released = true
	close(c.gate)
}

// letGo makes an end possible: no call is held from now on, and no call waits.
func (w *world) letGo(cancel bool) {
	w.mu.Lock()
	w.free = true
	var gates []*callRecord
	for _, c := range w.calls {
		if c.gate != nil && !c.released {
			gates = append(gates, c)
		}
	}
	ops := slices.Clone(w.ops)
	w.mu.Unlock()
	for _, c := range gates {
		w.release(c)
	}
	for _, o := range ops {
		if cancel {
			o.cancel(o.cause)
		}
	}
}
