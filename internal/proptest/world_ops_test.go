package proptest

// The calls of a script on the real batcher, each on a goroutine of its own.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

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
