package main

// What the chaos tests share: the service on a real server, under load, watched.

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// soon bounds what should not take long, even on a slow machine.
const soon = time.Minute

// stage is the service under load, on a database that things happen to.
type stage struct {
	*testing.T
	cfg      config
	dsn      string // of the database, past any proxy
	service  *service
	log      *log
	watched  *watchedStore
	driver   *driver
	stopLoad func() // also waits for it
	closed   bool
}

// setStage starts the service on the database, and then the load. It reaches the database through
// the connection string via, which is dsn or leads through a proxy.
func setStage(t *testing.T, dsn, via string, change func(*config)) *stage {
	t.Helper()
	cfg := testConfig(t)
	cfg.postgres = via
	cfg.rescueFile = filepath.Join(t.TempDir(), "rescued.ndjson")
	cfg.size, cfg.delay, cfg.workers = 50, 5*time.Millisecond, 2
	cfg.roomWait, cfg.healthLimit = 20*time.Millisecond, 500*time.Millisecond
	cfg.backoff = batcher.ExponentialBackoff(5*time.Millisecond, 100*time.Millisecond)
	if change != nil {
		change(&cfg)
	}
	st, err := openPostgres(t.Context(), via, batched, cfg.workers)
	require.NoError(t, err)
	s := &stage{T: t, cfg: cfg, dsn: dsn, watched: &watchedStore{store: st, changed: make(chan struct{})}}
	s.service, s.log = startTestService(t, cfg, s.watched)
	ctx, cancel := context.WithCancel(t.Context())
	s.driver = newDriver(s.service.url(), 32, 1000)
	driven := make(chan struct{})
	go func() {
		defer close(driven)
		s.driver.drive(ctx, generate("run", 1<<40, .01))
	}()
	s.stopLoad = func() {
		cancel()
		<-driven
	}
	t.Cleanup(func() { // for a test that fails in the middle
		if !s.closed {
			_ = s.service.shutdown()
			s.stopLoad()
		}
	})
	s.storeMore()
	return s
}

// storeMore waits until the service has stored some hundred events from now on.
func (s *stage) storeMore() {
	s.Helper()
	stored, _ := s.watched.counts()
	s.watched.until(s.T, "more events are stored", func(now, _ int) bool { return now >= stored+300 })
}

// fail waits until the service has failed to store a batch, so often from now on.
func (s *stage) fail(times int) {
	s.Helper()
	_, failed := s.watched.counts()
	s.watched.until(s.T, "batches fail", func(_, now int) bool { return now >= failed+times })
}

// fill waits until clients are refused, and checks that no more is held than there may be.
func (s *stage) fill() {
	s.Helper()
	before := s.driver.retried.Load()
	require.Eventually(s, func() bool { return s.driver.retried.Load() > before }, soon, time.Millisecond)
	s.bounded()
}

// bounded checks that the batcher holds no more than it promises: the batches with the workers, those
// in the queue, and the open one.
func (s *stage) bounded() {
	s.Helper()
	bound := s.cfg.size * (2*s.cfg.workers + s.cfg.workers + 1)
	assert.LessOrEqual(s, s.service.batcher.Stats().Pending, int64(bound))
}

// health returns the status of /healthz.
func (s *stage) health() int { return s.service.do("GET", "/healthz", "").Code }

// ill and healthy check what the health check says; it may take a moment to see an improvement.
func (s *stage) ill() {
	s.Helper()
	assert.Equal(s, http.StatusServiceUnavailable, s.health())
}

func (s *stage) healthy() {
	s.Helper()
	require.Eventually(s, func() bool { return s.health() == http.StatusOK }, soon, time.Millisecond)
}

// close ends the load and the service, and checks that every event that was accepted is in the
// database, once, or was handed back. It returns how many were handed back.
func (s *stage) close() (handedBack int) {
	s.Helper()
	s.closed = true
	ended := s.service.shutdown()
	s.stopLoad()
	s.bounded()
	rescued := make(map[string]string)
	if _, err := os.Stat(s.cfg.rescueFile); err == nil {
		for _, line := range readRescued(s.T, s.cfg.rescueFile) {
			assert.NotContains(s, rescued, line.Event.ID, "handed back twice")
			rescued[line.Event.ID] = line.Outcome
		}
	}
	assert.Equal(s, len(rescued) > 0, ended != nil, "the end of the service tells of losses: %v", ended)
	s.compare(rescued)
	return len(rescued)
}

// compare compares what the clients were told with the database and what was handed back.
func (s *stage) compare(rescued map[string]string) {
	s.Helper()
	st, err := openPostgres(s.Context(), s.dsn, batched, 1)
	require.NoError(s, err)
	stored, err := tally(s.Context(), st)
	require.NoError(s, err)
	require.NoError(s, st.Close())
	var missing, doubled, both []string
	for id, told := range s.driver.ledger.sent {
		switch n := stored[id]; {
		case n == 0 && told.accepted > 0 && rescued[id] == "":
			missing = append(missing, id)
		case n > 1:
			doubled = append(doubled, id)
		case n == 1 && rescued[id] == "unflushed":
			both = append(both, id)
		}
	}
	assert.Empty(s, missing, "accepted, and neither stored nor handed back")
	assert.Empty(s, doubled, "stored twice")
	assert.Empty(s, both, "handed back as never tried, and stored")
	for id := range stored {
		if _, sent := s.driver.ledger.sent[id]; !sent {
			assert.Fail(s, "stored, and nobody sent it", id)
		}
	}
	assert.Positive(s, s.driver.ledger.totals().accepted)
}

// watchedStore tells what becomes of the batches.
type watchedStore struct {
	store

	mu             sync.Mutex // guards the fields below
	stored, failed int        // events, and attempts
	last           error
	changed        chan struct{} // closed at each change, and replaced
}

func (w *watchedStore) Write(ctx context.Context, events []Event) error {
	err := w.store.Write(ctx, events)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.stored += len(events)
	} else {
		w.failed++
		w.last = err
	}
	close(w.changed)
	w.changed = make(chan struct{})
	return err
}

func (w *watchedStore) counts() (stored, failed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stored, w.failed
}

// until waits until the counts are as they are wanted.
func (w *watchedStore) until(t *testing.T, what string, wanted func(stored, failed int) bool) {
	t.Helper()
	limit := time.After(soon)
	for {
		w.mu.Lock()
		reached, changed, last := wanted(w.stored, w.failed), w.changed, w.last
		w.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-changed:
		case <-limit:
			require.Fail(t, "waited too long until "+what, fmt.Sprint("last failure: ", last))
		}
	}
}
