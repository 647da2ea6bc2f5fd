package batcherdebug

// What is kept of each batcher: its last attempts and errors, in fixed memory.

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/seed-4c1eaf8a/batcher"
)

const (
	keptAttempts = 512 // and as many batches
	keptErrors   = 10
	maxText      = 500 // runes of an error's text or of a name
)

// watched is a batcher and what its hooks have seen.
type watched struct {
	id      int
	batcher batcher.Observed
	config  batcher.Config
	remove  func() // the hooks

	answers chan answer // from a goroutine of ask to the page; capacity 1: it never waits

	// What the page has been told, see ask.go. Guarded by the page's lock.
	asked time.Time // when it was asked what it has not answered; zero: it owes nothing
	late  bool      // it has let a snapshot wait in vain
	last  answer
	drops drops

	mu       sync.Mutex // guards the fields below; a leaf
	running  map[piece]time.Time
	attempts ring[attempt]
	batches  ring[sealed]
	failed   int64     // attempts
	lastOK   time.Time // the end of the last attempt that flushed something
	errors   []Failure // the newest last
}

// piece names what an attempt is made at. No two attempts at it run at once.
type piece struct {
	batch  uint64
	offset int
}

// attempt is how long one ran, and how it ended.
type attempt struct {
	duration time.Duration
	failed   bool
}

// sealed is a batch as it came to its first attempt.
type sealed struct {
	size   int
	reason batcher.Reason
}

func watch(id int, b batcher.Observed) *watched {
	w := &watched{id: id, batcher: b, config: b.Config(), answers: make(chan answer, 1),
		running: make(map[piece]time.Time)}
	w.attempts.slots = make([]attempt, keptAttempts)
	w.batches.slots = make([]sealed, keptAttempts)
	w.remove = b.Observe(batcher.Hooks{FlushStart: w.flushStart, FlushEnd: w.flushEnd})
	return w
}

func (w *watched) flushStart(ctx context.Context, info batcher.Info) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[piece{info.Batch, info.Offset}] = time.Now()
	return ctx
}

func (w *watched) flushEnd(_ context.Context, info batcher.Info, result batcher.FlushResult) {
	var (
		failure Failure
		inPart  bool
	)
	if result.Err != nil {
		failure, inPart = w.describe(info, result.Err) // without the lock: it calls methods of the error
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, piece{info.Batch, info.Offset})
	w.attempts.put(attempt{result.Duration, result.Err != nil})
	if info.First {
		w.batches.put(sealed{info.Size, info.Reason})
	}
	if result.Err != nil {
		w.failed++
		w.noteLocked(failure)
	}
	if result.Err == nil || inPart {
		w.lastOK = time.Now()
	}
}

// oldestLocked returns when the oldest attempt that has not ended has begun, or zero.
func (w *watched) oldestLocked() (oldest time.Time) {
	for _, begun := range w.running {
		if oldest.IsZero() || begun.Before(oldest) {
			oldest = begun
		}
	}
	return oldest
}

// noteLocked puts a failure last. It replaces the one that is the same but for its time, or else
// the oldest.
func (w *watched) noteLocked(f Failure) {
	old := slices.IndexFunc(w.errors, func(o Failure) bool { return o.Class == f.Class && o.Text == f.Text })
	switch {
	case old >= 0:
		f.Times += w.errors[old].Times
		w.errors = slices.Delete(w.errors, old, old+1)
	case len(w.errors) == keptErrors:
		w.errors = slices.Delete(w.errors, 0, 1)
	}
	w.errors = append(w.errors, f)
}

// describe reports also whether some of the items were flushed, as far as the error can tell. It
// survives an error whose methods panic.
func (w *watched) describe(info batcher.Info, err error) (f Failure, inPart bool) {
	f = Failure{Time: time.Now(), Class: "other", Text: "(the methods of this error panic)", Items: info.Size,
		Attempt: info.Attempt, Times: 1}
	defer func() { _ = recover() }()
	text := cut(err.Error())
	f.Class, f.Text = batcher.ErrorClass(err), text
	return f, f.Class == partialClass && w.ofSome(info, err)
}

var partialClass = batcher.ErrorClass(&batcher.PartialError{})

// ofSome reports whether a partial error names some of the items, or keys, and not all. One that
// names what is not in the batch, or is of the other kind, counts for all of it; that a key is not
// in the batch nobody can tell here.
func (w *watched) ofSome(info batcher.Info, err error) bool {
	var byIndex *batcher.PartialError
	if errors.As(err, &byIndex) == (w.config.FrontEnd == "Combiner") {
		return false
	}
	if byIndex != nil {
		for i := range byIndex.Errs {
			if i < 0 || i >= info.Size {
				return false
			}
		}
	}
	var partial interface{ Failed() int } // a PartialKeyError of whatever type of keys, too
	n := 0
	if errors.As(err, &partial) {
		n = partial.Failed()
	}
	return 0 < n && n < info.Size
}

// cut makes s valid UTF-8 and not too long to be read.
func cut(s string) string {
	const most = maxText * utf8.UTFMax
	long := len(s) > most
	s = strings.ToValidUTF8(s[:min(len(s), most)], "\uFFFD")
	if runes := []rune(s); long || len(runes) > maxText {
		return string(runes[:min(len(runes), maxText-1)]) + "…"
	}
	return s
}

// ring keeps the last values.
type ring[T any] struct {
	slots []T
	count int // of all that were put
}

func (r *ring[T]) put(v T) {
	r.slots[r.count%len(r.slots)] = v
	r.count++
}

// all returns a copy, in no order.
func (r *ring[T]) all() []T {
	return append([]T(nil), r.slots[:min(r.count, len(r.slots))]...)
}
