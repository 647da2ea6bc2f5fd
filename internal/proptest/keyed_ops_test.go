package proptest

// The calls of a script on a batcher with keys, each on a goroutine of its own.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// keyedOptions are the options that both take.
func (w *keyedWorld) keyedOptions() []batcher.Option {
	cfg := w.cfg
	opts := []batcher.Option{
		batcher.WithMaxSize(cfg.MaxSize),
		batcher.WithMaxDelay(cfg.MaxDelay),
		batcher.WithWorkers(cfg.Workers),
		batcher.WithOverflow(cfg.Overflow),
		batcher.WithFlushTimeout(cfg.Timeout),
		batcher.WithRetry(cfg.Attempts, func(n int) time.Duration {
			_ = w.front.stats() // no lock may be held here
			return cfg.Backoff * time.Duration(n)
		}),
		batcher.WithLogger(slog.New(slog.DiscardHandler)),
	}
	if cfg.Shards > 0 {
		opts = append(opts, batcher.WithShards(cfg.Shards))
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
	return opts
}

// open makes the batcher.
func (w *keyedWorld) open(combined bool) (err error) {
	w.combined = combined
	if combined {
		w.front, err = newCombinerFront(w)
		return err
	}
	w.front, err = newShardedFront(w)
	return err
}

// run starts a call.
func (w *keyedWorld) run(s keyedStep) *keyedOp {
	o := &keyedOp{step: s, at: w.now(), cause: fmt.Errorf("the context of call %d ended", s.op.ID)}
	ctx, cancel := context.WithCancelCause(context.Background())
	o.cancel = cancel
	if s.op.Ended {
		cancel(o.cause)
	}
	if s.limit > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.limit, o.cause)
		o.cancel = func(cause error) { cancel(cause); stop() }
	}
	w.mu.Lock()
	o.began = w.tickLocked()
	for _, it := range s.op.Items {
		w.items[it.ID] = &keyedItem{id: it.ID, key: s.key, weight: it.Weight, op: o, began: o.began}
		w.letterAt[it.ID] = 0
	}
	if len(s.plan) > 0 {
		w.plans[s.op.Items[0].ID] = s.plan
	}
	w.closed = w.closed || s.op.Kind == OpClose
	w.ops = append(w.ops, o)
	w.mu.Unlock()
	go func() {
		n, err := w.front.call(ctx, s)
		w.mu.Lock()
		defer w.mu.Unlock()
		o.done, o.n, o.err = true, n, err
		w.returnedLocked(o)
	}()
	return o
}

// returnedLocked notes that a call has returned, and checks what it promises by that.
func (w *keyedWorld) returnedLocked(o *keyedOp) {
	o.cancel(nil)
	clock, at := w.tickLocked(), w.now()
	for i, it := range o.step.op.Items {
		k := w.items[it.ID]
		k.ended, k.at = clock, at
		switch {
		case i < o.n:
			k.accepted = true
		case o.step.op.Kind == OpAddWait && errors.Is(o.err, o.cause):
			// The fate may be open, or it was refused.
		case o.step.op.Kind == OpAddWait && errors.Is(o.err, batcher.ErrClosed) && o.began < w.closeBeganLocked():
			// It was turned away while it waited for room, or handed back.
		default:
			k.refused = true
			if k.first != nil || k.fate != fateOpen {
				w.problemLocked("P1: %v returned %v, but item %d has fate %d", o, o.err, k.id, k.fate)
			}
		}
	}
	switch o.step.op.Kind {
	case OpFlush:
		w.flushReturnedLocked(o)
	case OpClose:
		w.closeReturnedLocked(o)
	default:
		w.checkRefusalLocked(o)
	}
}

// checkRefusalLocked checks why a call refuses an item.
func (w *keyedWorld) checkRefusalLocked(o *keyedOp) {
	err, items := o.err, o.step.op.Items
	if err == nil && o.n == len(items) || o.n == 1 && o.step.op.Kind == OpAddWait {
		return
	}
	weight := 0
	if o.n < len(items) && w.cfg.MaxWeight > 0 {
		weight = items[o.n].Weight
	}
	ok := false
	switch {
	case errors.Is(err, batcher.ErrClosed):
		ok = w.closed
	case w.closed && o.began > w.closeBeganLocked():
		ok = false // ErrClosed wins
	case errors.Is(err, o.cause):
		ok = o.step.op.Ended || o.step.limit > 0 || o.cut
	case errors.Is(err, batcher.ErrFull):
		ok = w.cfg.Overflow == batcher.Reject || o.step.op.Kind == OpTryAdd && w.cfg.Overflow == batcher.Block
	case errors.Is(err, batcher.ErrTooHeavy):
		ok = weight > w.cfg.MaxWeight
	case errors.Is(err, batcher.ErrNegativeWeight):
		ok = weight < 0
	}
	if !ok {
		w.problemLocked("%v returned %d, %v", o, o.n, err)
	}
}

// closeBeganLocked returns when the first Close began.
func (w *keyedWorld) closeBeganLocked() int {
	i := slices.IndexFunc(w.ops, func(o *keyedOp) bool { return o.step.op.Kind == OpClose })
	return w.ops[i].began
}

// flushReturnedLocked checks the barrier, and what Flush reports.
func (w *keyedWorld) flushReturnedLocked(o *keyedOp) {
	failed := errors.As(o.err, new(*batcher.FlushError))
	if errors.Is(o.err, batcher.ErrClosed) || errors.Is(o.err, o.cause) || w.gone >= 0 {
		return
	}
	if o.err != nil && !failed {
		w.problemLocked("P7: %v returned %v", o, o.err)
	}
	died := 0
	for _, it := range w.items {
		own := it.accepted && it.ended < o.began
		lost := it.decided > o.began && (it.fate == fateFailed || it.fate == fateDropped)
		switch {
		case own && it.fate == fateOpen && w.cfg.Overflow != batcher.DropOldest:
			w.problemLocked("P7: %v returned %v, but item %d has no fate", o, o.err, it.id)
		case own && lost && !failed:
			w.problemLocked("P7: %v returned nil, but item %d was given up", o, it.id)
		case lost:
			died++
		}
	}
	if failed && died == 0 && w.cfg.Overflow != batcher.DropOldest {
		w.problemLocked("P7: %v returned %v, but nothing has failed", o, o.err)
	}
}

func (w *keyedWorld) closeReturnedLocked(o *keyedOp) {
	if o.err != nil && w.gone < 0 {
		w.problemLocked("P8: %v returned %v", o, o.err)
	}
	if o.err != nil {
		return
	}
	for _, it := range w.items {
		if it.accepted && it.fate == fateOpen && w.cfg.Overflow != batcher.DropOldest {
			w.problemLocked("P8: %v returned nil, but item %d has no fate", o, it.id)
		}
	}
}

// await waits for a receipt, on a goroutine of its own.
func (w *keyedWorld) await(id int, r batcher.Receipt) {
	go func() { w.answered(id, r.Wait(context.Background())) }()
}

// answered notes what a caller was told of its item. A failure may be known before the
// dead letter handler hears of it.
func (w *keyedWorld) answered(id int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	it := w.items[id]
	if err == nil && it.fate != fateFlushed {
		w.problemLocked("P1: the caller is told that item %d was flushed: it has fate %d", id, it.fate)
	}
	it.answer = &err
}

// heldCalls returns the calls that wait at their gates, and takes them as released.
func (w *keyedWorld) heldCalls() (held []*keyedCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.ready && !c.released && c.end < 0 {
			held = append(held, c)
		}
	}
	slices.SortFunc(held, func(a, b *keyedCall) int { return a.lead - b.lead })
	return held
}

// release lets a held call go on.
func (w *keyedWorld) release(c *keyedCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.released = true
	close(c.gate)
}

func (w *keyedWorld) openOps() (open []*keyedOp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.ops {
		if !o.done {
			open = append(open, o)
		}
	}
	return open
}

// cut ends the context of a call.
func (w *keyedWorld) cut(o *keyedOp) {
	w.mu.Lock()
	o.cut = true
	w.mu.Unlock()
	o.cancel(o.cause)
}

// nextDue returns when the next batch is due by its age, as far as that is known.
func (w *keyedWorld) nextDue() (at time.Duration, ok bool) {
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range w.items {
		due := it.at + w.cfg.MaxDelay
		if it.accepted && it.fate == fateOpen && it.first == nil && due > now && (!ok || due < at) {
			at, ok = due, true
		}
	}
	return at, ok
}

// abandon ends a batcher whose run has failed, so that the bubble can end.
func (w *keyedWorld) abandon() {
	letGo := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.free = true
		for _, c := range w.calls {
			if c.gate != nil && !c.released {
				c.released = true
				close(c.gate)
			}
		}
		for _, o := range w.ops {
			o.cancel(o.cause)
		}
	}
	if w.front == nil {
		return
	}
	letGo()
	w.run(keyedStep{op: Op{Kind: OpClose, Ended: true}})
	for range 50 {
		time.Sleep(2 * time.Hour)
		letGo()
	}
}

// dump shows what was seen, for failure reports.
func (w *keyedWorld) dump() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := "calls of the flush function:\n"
	for _, c := range w.calls {
		s += fmt.Sprintf("  %v, until %v\n", c, c.end)
	}
	s += "calls of the script:\n"
	for _, o := range w.ops {
		s += fmt.Sprintf("  %12v %v: %v, %d, %v\n", o.at, o, o.done, o.n, o.err)
	}
	return s
}
