package batcherdebug

// What is kept of each batcher: its last attempts and errors, in fixed memory.

import (
	"context"
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

	answer chan batcher.Stats // from a goroutine of ask to the page; capacity 1: it never waits

	// What the page has been told, see ask.go. Guarded by the page's lock.
	asked   time.Time     // when it was asked what it has not answered; zero: it owes nothing
	stats   batcher.Stats // the last answer
	told    time.Time     // when that came; zero: never
	dropped drops         // before that

	mu       sync.Mutex // guards the fields below; a leaf
	attempts ring[attempt]
	batches  ring[sealed]
	failed   int64     // attempts
	lastOK   time.Time // the end of the last attempt that succeeded
	errors   []Failure // the newest last
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
	w := &watched{id: id, batcher: b, config: b.Config(), answer: make(chan batcher.Stats, 1)}
	w.attempts.slots = make([]attempt, keptAttempts)
	w.batches.slots = make([]sealed, keptAttempts)
	w.remove = b.Observe(batcher.Hooks{FlushEnd: w.flushEnd})
	return w
}

func (w *watched) flushEnd(_ context.Context, info batcher.Info, result batcher.FlushResult) {
	var failure Failure
	if result.Err != nil {
		failure = describe(info, result.Err) // without the lock: it calls methods of the error
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts.put(attempt{result.Duration, result.Err != nil})
	if info.First {
		w.batches.put(sealed{info.Size, info.Reason})
	}
	if result.Err == nil {
		w.lastOK = time.Now()
		return
	}
	w.failed++
	w.noteLocked(failure)
}

// noteLocked adds a failure, or counts it if it is the last one again.
func (w *watched) noteLocked(f Failure) {
	if n := len(w.errors); n > 0 && w.errors[n-1].Class == f.Class && w.errors[n-1].Text == f.Text {
		f.Times += w.errors[n-1].Times
		w.errors[n-1] = f
		return
	}
	if len(w.errors) == keptErrors {
		w.errors = append(w.errors[:0], w.errors[1:]...)
	}
	w.errors = append(w.errors, f)
}

// describe survives an error whose methods panic.
func describe(info batcher.Info, err error) (f Failure) {
	f = Failure{Time: time.Now(), Class: "other", Text: "(the methods of this error panic)", Items: info.Size,
		Attempt: info.Attempt, Times: 1}
	defer func() { _ = recover() }()
	text := cut(err.Error())
	f.Class, f.Text = batcher.ErrorClass(err), text
	return f
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
