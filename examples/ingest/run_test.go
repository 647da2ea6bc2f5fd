package main

// The program with its own clients, end to end: real HTTP, a real database.

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoadDrivesTheServiceAndVerifiesTheDatabase(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	got := runProgram(t, t.Context(), defaults(), "", "-load", "700", "-conns", "16", "-wait-share", "0.1")
	require.Zero(t, got.status, got.stderr)
	for _, line := range []string{
		`(?m)^requests +630 answered 202, 70 answered 201, \d+ times 503 and sent again$`,
		`(?m)^throughput +\d+ req/s over 16 connections in \S+$`,
		`(?m)^API latency, 202 +p50 \S+, p99 \S+, max \S+$`,
		`(?m)^API latency, 201 +p50 \S+, p99 \S+, max \S+$`,
		`(?m)^flush +p50 \S+, p99 \S+, max \S+$`,
		`(?m)^batch size +mean \d+, p50 \d+, max \d+$`,
		`(?m)^CPU per request +\S+ \(clients and server share this process\)$`,
		`(?m)^allocations per request +\d+, \S+ KiB \(clients and server share this process\)$`,
		`(?m)^stats: added 700 = flushed 700 \+ failed 0 \+ dropped 0 \+ returned 0 \+ pending 0; ` +
			`retries 0; batches \d+ \(.*\)$`,
		`(?m)^verified: all 700 accepted events are in the database exactly once; nothing else is there$`,
	} {
		assert.Regexp(t, line, got.stdout)
	}
	assert.Contains(t, got.stderr, "700 of 700 events")
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Empty(t, left, "the temporary database is removed")
}

func TestTheSameDatabaseCanBeLoadedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	for range 2 {
		got := runProgram(t, t.Context(), defaults(), "", "-db", path, "-load", "200", "-conns", "4")
		require.Zero(t, got.status, got.stderr)
		assert.Contains(t, got.stdout, "verified: all 200 accepted events")
	}
	st, err := openSQLite(t.Context(), path)
	require.NoError(t, err)
	all, err := tally(t.Context(), st)
	require.NoError(t, err)
	assert.Len(t, all, 400)
	require.NoError(t, st.Close())
}

// sqliteWith returns a function for config.open that puts a writer before SQLite.
func sqliteWith(write func(ctx context.Context, events []Event, st store) error) func(context.Context, string) (store, error) {
	return func(ctx context.Context, path string) (store, error) {
		st, err := openSQLite(ctx, path)
		return &interposed{st, write}, err
	}
}

type interposed struct {
	store
	write func(ctx context.Context, events []Event, st store) error
}

func (i *interposed) Write(ctx context.Context, events []Event) error {
	return i.write(ctx, events, i.store)
}

func TestAnInterruptedLoadShutsDownAndVerifies(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var stored atomic.Int64
	cfg := defaults()
	cfg.open = sqliteWith(func(ctx context.Context, events []Event, st store) error {
		if stored.Add(int64(len(events))) > 300 {
			interrupt()
		}
		return st.Write(ctx, events)
	})
	got := runProgram(t, ctx, cfg, "", "-load", "1000000", "-size", "50", "-conns", "16")
	require.Zero(t, got.status, got.stderr)
	assert.Contains(t, got.stdout, "exactly once")
	assert.Regexp(t, `(?m)^interrupted after \d+ events$`, got.stdout)
	added := regexp.MustCompile(`added (\d+) = flushed (\d+) `).FindStringSubmatch(got.stdout)
	require.Len(t, added, 3)
	assert.Equal(t, added[1], added[2])
}

func TestAStoreThatFailsForAWhileLosesNothing(t *testing.T) {
	var calls atomic.Int64
	cfg := defaults()
	cfg.open = sqliteWith(func(ctx context.Context, events []Event, st store) error {
		switch calls.Add(1) % 4 {
		case 1:
			return errors.New("no connection")
		case 2: // written, but who knows
			return errors.Join(st.Write(ctx, events), errors.New("connection lost"))
		case 3: // written in part
			return errors.Join(st.Write(ctx, events[:len(events)/2]), errors.New("connection lost"))
		}
		return st.Write(ctx, events)
	})
	got := runProgram(t, t.Context(), cfg, "", "-load", "300", "-size", "50", "-conns", "16")
	require.Zero(t, got.status, got.stderr)
	assert.Contains(t, got.stdout, "verified: all 300 accepted events are in the database exactly once")
	assert.NotContains(t, got.stdout, "retries 0")
}

func TestVerificationCatchesWhatAStoreHides(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(ctx context.Context, events []Event, st store) error
		fault string
	}{
		{"an event that is missing", func(ctx context.Context, events []Event, st store) error {
			var kept []Event
			for _, e := range events {
				if !strings.HasSuffix(e.ClientID, "-7") {
					kept = append(kept, e)
				}
			}
			return st.Write(ctx, kept)
		}, `accepted, but missing in the database: 1 events \(load-[0-9a-f]{8}-7\)`},
		{"an event that is doubled", func(ctx context.Context, events []Event, st store) error {
			for _, e := range events {
				if strings.HasSuffix(e.ClientID, "-7") {
					e.ID = uuid.New()
					events = append(events, e)
				}
			}
			return st.Write(ctx, events)
		}, `in the database more than once: 1 events \(load-[0-9a-f]{8}-7\)`},
		{"an event that nobody sent", func(ctx context.Context, events []Event, st store) error {
			stranger := Event{ID: uuid.UUID{1}, ClientID: "stranger", UserID: "u", Action: "a"}
			return st.Write(ctx, append(events, stranger))
		}, `in the database, but nobody sent them: 1 events \(stranger\)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			cfg := defaults()
			cfg.open = sqliteWith(c.write)
			got := runProgram(t, t.Context(), cfg, "", "-load", "50", "-conns", "4")
			assert.Equal(t, 1, got.status)
			assert.Contains(t, got.stderr, "ingest: verification failed, with 50 events accepted:\n")
			assert.Regexp(t, c.fault, got.stderr)
			assert.NotContains(t, got.stdout, "verified")
			left, err := filepath.Glob(filepath.Join(dir, "ingest-*", "events.db"))
			require.NoError(t, err)
			require.Len(t, left, 1, "the database is kept for those who want to look into it")
			assert.Contains(t, got.stderr, filepath.Dir(left[0])+" is kept")
		})
	}
}

func TestEventsThatWereLostEndTheLoadWithStatus1(t *testing.T) {
	cfg := defaults()
	cfg.attempts = 1
	cfg.open = sqliteWith(func(context.Context, []Event, store) error { return errors.New("disk on fire") })
	path := filepath.Join(t.TempDir(), "events.db")
	got := runProgram(t, t.Context(), cfg, "", "-db", path, "-load", "50", "-conns", "4", "-wait-share", "0.5")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "50 of 50 accepted events were not stored: 50 failed, 0 handed back; see "+
		path+".rescued.ndjson")
	assert.Contains(t, got.stderr, "accepted, but missing in the database: 25 events")
	assert.Contains(t, got.stdout, "could not be stored: disk on fire")
	assert.Len(t, readRescued(t, path+".rescued.ndjson"), 50)
}
