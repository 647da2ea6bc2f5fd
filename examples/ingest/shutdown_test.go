package main

// The end of the service, in order and out of order.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// endless yields events until nobody wants them any more.
func endless(yield func(request) bool) {
	for i := 0; ; i++ {
		event := eventInput{ID: fmt.Sprint(i), UserID: "u", Action: "a"}
		if !yield(request{event: event, wait: i%10 == 0}) {
			return
		}
	}
}

func TestShutdownUnderLoadLosesNothingThatWasAccepted(t *testing.T) {
	for range 3 {
		var stored atomic.Int64
		enough := make(chan struct{})
		st := &memoryStore{before: func(_ context.Context, events []Event) error {
			if n := stored.Add(int64(len(events))); n >= 500 && n-int64(len(events)) < 500 {
				close(enough)
			}
			return nil
		}}
		cfg := testConfig(t)
		cfg.size = 50
		s, _ := startTestService(t, cfg, st)
		ctx, cancel := context.WithCancel(t.Context())
		d := newDriver(s.url(), 20, 1)
		driven := make(chan struct{})
		go func() {
			defer close(driven)
			d.drive(ctx, endless)
		}()
		<-enough
		require.NoError(t, s.shutdown()) // while the clients go on
		cancel()
		<-driven

		after, err := tally(ctx, st)
		require.NoError(t, err)
		v := verify(d.ledger, nil, after)
		require.NoError(t, v.err())
		assert.GreaterOrEqual(t, v.accepted+v.openStored, 500)
		assert.False(t, st.late, "a write after Close")
		stats := s.batcher.Stats()
		assert.Equal(t, stats.Added, stats.Flushed)
		assert.EqualValues(t, v.accepted+v.openStored, stats.Added)
	}
}

func TestShutdownWithAHangingStoreSavesWhatIsLeft(t *testing.T) {
	for _, hang := range []struct {
		name  string
		until func(ctx context.Context, g *gate) error
	}{
		{"until its context ends", func(ctx context.Context, g *gate) error { return g.hold(ctx, nil) }},
		{"whatever its context does", func(_ context.Context, g *gate) error {
			_ = g.hold(context.Background(), nil)
			return errors.New("too late")
		}},
	} {
		t.Run(hang.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			g := newGate()
			defer g.open()
			st := &memoryStore{before: func(ctx context.Context, _ []Event) error { return hang.until(ctx, g) }}
			cfg := testConfig(t)
			cfg.size, cfg.delay, cfg.grace = 2, time.Hour, 100*time.Millisecond
			s, l := newTestService(t, cfg, st)
			for i := range 5 { // a batch that is tried, one in the queue, half of one
				body := strings.Replace(goodEvent, "c1", fmt.Sprint(i), 1)
				require.Equal(t, http.StatusAccepted, s.do("POST", "/event", body).Code)
				if i == 1 {
					<-g.arrived
				}
			}
			err := s.shutdown()
			require.ErrorContains(t, err, "5 of 5 accepted events were not stored: 0 failed, 5 handed back")
			assert.Equal(t, 2, strings.Count(l.String(), "EVENTS NOT STORED"))

			fates := make(map[string]string)
			for _, line := range readRescued(t, cfg.rescueFile) {
				fates[line.Event.ID] = line.Outcome
				assert.Contains(t, line.Cause, "deadline exceeded")
			}
			assert.Equal(t, map[string]string{
				"0": "unknown", "1": "unknown", "2": "unflushed", "3": "unflushed", "4": "unflushed",
			}, fates)
		})
	}
}

func TestShutdownCutsOffRequestsThatWaitForAHangingStore(t *testing.T) {
	g := newGate()
	defer g.open()
	cfg := testConfig(t)
	cfg.grace = 100 * time.Millisecond
	s, l := startTestService(t, cfg, &memoryStore{before: g.hold})
	d := newDriver(s.url(), 1, 1)
	driven := make(chan struct{})
	go func() {
		defer close(driven)
		d.drive(t.Context(), generate("run", 1, 1))
	}()
	<-g.arrived
	require.ErrorContains(t, s.shutdown(), "1 of 1 accepted events were not stored")
	<-driven
	assert.Contains(t, l.String(), "requests were cut off")
	assert.Equal(t, entry{open: 1}, d.ledger.totals(), "the client cannot know")
}

func TestAWaitThatEndsWithTheServiceIsAnswered500(t *testing.T) {
	g := newGate()
	defer g.open()
	s, _ := newTestService(t, testConfig(t), &memoryStore{before: g.hold})
	answer := make(chan int)
	go func() { answer <- s.do("POST", "/event?wait=1", goodEvent).Code }()
	<-g.arrived
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, s.batcher.Close(ended))
	assert.Equal(t, http.StatusInternalServerError, <-answer)
	require.ErrorContains(t, s.shutdown(), "1 of 1 accepted events were not stored")
}

func TestEventsThatCannotBeSavedEitherGoToTheLog(t *testing.T) {
	var l log
	r := &rescue{path: filepath.Join(t.TempDir(), "missing", "file"), log: l.logger()}
	r.save("failed", []Event{{ClientID: "c1", UserID: "u", Action: "a"}}, errors.New("disk on fire"))
	assert.Contains(t, l.String(), "EVENTS NOT STORED, AND NOT SAVED EITHER")
	assert.Contains(t, l.String(), `\"id\":\"c1\"`)
	require.NoError(t, r.close())
}

func TestTheFileOfTheRescuedIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rescued")
	for range 2 {
		r := &rescue{path: path, log: new(log).logger()}
		r.save("failed", nil, nil) // nothing to save, no file
		r.save("failed", []Event{{UserID: "u", Action: "a"}, {UserID: "u", Action: "a"}}, errors.New("x"))
		require.NoError(t, r.close())
	}
	assert.Len(t, readRescued(t, path), 4)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestAServerThatFailsEndsTheService(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	require.NoError(t, s.listen())
	require.NoError(t, s.listener.Close())
	s.start()
	s.serving.Wait()
	require.ErrorContains(t, s.shutdown(), "serve: ")
}
