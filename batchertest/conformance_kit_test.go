package batchertest_test

// A store in memory and a correct sink for it, which the defects of conformance_test.go alter.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

// record shares its memory with its copies.
type record struct{ id []byte }

func recordNo(i int) record    { return record{fmt.Appendf(nil, "record %d", i)} }
func badRecordNo(i int) record { return record{fmt.Appendf(nil, "bad %d", i)} }
func (r record) key() string   { return string(r.id) }
func (r record) bad() bool     { return strings.HasPrefix(string(r.id), "bad") }
func (r record) spoil()        { copy(r.id, "spoiled!!!!") }
func (r record) keyOrErr() (string, error) {
	if r.bad() {
		return "", fmt.Errorf("memory: cannot encode %q", r.id)
	}
	return r.key(), nil
}

// store is the target. It knows its keys again, so it is idempotent.
type store struct {
	mu    sync.Mutex // guards the fields below
	keys  []string
	known map[string]bool
	hung  chan struct{} // closed by resume; nil while it answers

	// What the sinks with a defect keep.
	broken  bool
	pending [][]record
	conn    context.Context // ends when the connection breaks
	cut     func()

	quit chan struct{} // closed at the end of a test, for goroutines that would never end
}

func newStore() *store {
	s := &store{known: make(map[string]bool), quit: make(chan struct{})}
	s.disconnect()
	return s
}

// put stores the keys that are new.
func (s *store) put(ctx context.Context, keys ...string) error {
	if err := s.answer(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if !s.known[key] {
			s.known[key] = true
			s.keys = append(s.keys, key)
		}
	}
	return nil
}

// answer waits while the store hangs.
func (s *store) answer(ctx context.Context) error {
	hung := s.hanging()
	if hung == nil {
		return nil
	}
	select {
	case <-hung:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("memory: %w", context.Cause(ctx))
	}
}

// force stores the keys whatever is known and whether the store answers.
func (s *store) force(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, keys...)
}

// knows reports whether all of a batch that is not empty is stored.
func (s *store) knows(batch []record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range batch {
		if !s.known[r.key()] {
			return false
		}
	}
	return len(batch) > 0
}

// learn makes the store take the keys as stored.
func (s *store) learn(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.known[key] = true
	}
}

// forget takes the last records out of the store.
func (s *store) forget(batch []record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = s.keys[:len(s.keys)-len(batch)]
}

// hanging returns what is closed when the store no longer hangs, nil if it does not.
func (s *store) hanging() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hung
}

func (s *store) setBroken(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

func (s *store) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// connection returns the one of all calls.
func (s *store) connection() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// disconnect breaks the connection, and makes another one.
func (s *store) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut != nil {
		s.cut()
	}
	s.conn, s.cut = context.WithCancel(context.Background())
}

// hang makes the store hang until resume is called.
func (s *store) hang() (resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hung := make(chan struct{})
	s.hung = hung
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(hung)
		s.hung = nil
	}
}

func (s *store) stored() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

// write is the correct sink.
func (s *store) write(ctx context.Context, batch []record) error {
	if len(batch) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("memory: %w", context.Cause(ctx))
	}
	keys, bad := encoded(batch)
	if len(keys) > 0 {
		if err := s.put(ctx, keys...); err != nil {
			return err
		}
	}
	return partial(bad)
}

// encoded returns the keys of the good records, and the errors of the bad ones.
func encoded(batch []record) (keys []string, bad map[int]error) {
	bad = make(map[int]error)
	for i, r := range batch {
		key, err := r.keyOrErr()
		if err != nil {
			bad[i] = batcher.Permanent(err)
			continue
		}
		keys = append(keys, key)
	}
	return keys, bad
}

// partial returns nil if nothing is bad.
func partial(bad map[int]error) error {
	if len(bad) == 0 {
		return nil
	}
	return &batcher.PartialError{Errs: bad}
}

const password = "hunter2"

var errStore = errors.New("memory: the store says no")

// classify is what the correct sink makes of the store's answers.
func classify(answer string) error {
	switch answer {
	case "bad row":
		return &batcher.PartialError{Errs: map[int]error{1: batcher.Permanent(errStore)}}
	case "too large":
		return batcher.TooLarge(errStore)
	case "no such table":
		return batcher.Permanent(errStore)
	case "busy":
		return batcher.RetryAfter(errStore, time.Second)
	}
	return errStore
}

// defect is what is wrong with a sink, and which checks find it. The fields that are nil are
// those of the correct sink.
type defect struct {
	name     string
	fails    map[string]string // what the checks that find it report, in part, by name
	write    func(s *store) batcher.FlushFunc[record]
	stored   func(s *store) []string
	classify func(answer string) error
}

// sink describes the sink with the defect to the suite. Each of its targets has a store of its own.
func (d defect) sink(newStore func() *store) batchertest.SinkTest[record] {
	if d.classify == nil {
		d.classify = classify
	}
	failure := func(answer string, want batchertest.Verdict) batchertest.Failure {
		return batchertest.Failure{
			Name: answer, Want: want, Provoke: func(testing.TB) error { return d.classify(answer) },
		}
	}
	return batchertest.SinkTest[record]{
		Open:       func(testing.TB) batchertest.Target[record] { return d.target(newStore()) },
		Item:       recordNo,
		Key:        record.key,
		BadItem:    badRecordNo,
		Spoil:      record.spoil,
		Huge:       1500,
		Idempotent: true,
		Ordered:    true,
		Failures: []batchertest.Failure{
			failure("bad row", batchertest.Partial), failure("too large", batchertest.TooLarge),
			failure("no such table", batchertest.Permanent), failure("busy", batchertest.Throttled),
			failure("reset", batchertest.Transient),
		},
		Secrets: []string{password},
	}
}

func (d defect) target(s *store) batchertest.Target[record] {
	target := batchertest.Target[record]{
		Write:  s.write,
		Stored: func(testing.TB) []string { return s.stored() },
		Hang:   func(testing.TB) func() { return s.hang() },
		Close:  func() {},
	}
	if d.write != nil {
		target.Write = d.write(s)
	}
	if d.stored != nil {
		target.Stored = func(testing.TB) []string { return d.stored(s) }
	}
	return target
}

// goodSink describes the correct sink.
func goodSink() batchertest.SinkTest[record] { return defect{}.sink(newStore) }

// recorder is a testing.TB that notes what is reported, instead of failing.
type recorder struct {
	testing.TB
	cleanups []func()
	failed   bool
	skipped  bool
	reports  []string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Failed() bool                      { return r.failed }
func (r *recorder) Error(args ...any)                 { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.note(fmt.Sprintf(format, args...)) }
func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }

func (r *recorder) note(report string) {
	r.failed = true
	r.reports = append(r.reports, report)
}

func (r *recorder) Fatal(args ...any) {
	r.note(fmt.Sprint(args...))
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (r *recorder) Skip(...any) {
	r.skipped = true
	runtime.Goexit()
}

// recorded runs check as a test and returns what it reports.
func recorded(t testing.TB, check func(testing.TB)) *recorder {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, cleanup := range slices.Backward(r.cleanups) {
				cleanup()
			}
		}()
		check(r)
	}()
	<-done
	return r
}
