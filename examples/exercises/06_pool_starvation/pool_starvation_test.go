package pool_starvation

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// For benchmarks the server waits for the disk at each commit, as one in production does; tests do
// without.
func TestMain(m *testing.M) {
	flag.Parse()
	var opts []pgtest.Option
	if flag.Lookup("test.bench").Value.String() != "" {
		opts = append(opts, pgtest.WithFsync())
	}
	goleak.VerifyTestMain(pgtest.Main(m, opts...))
}

// variants are all ways.
var variants = []struct {
	name string
	open func(ctx context.Context, dsn string, workers int) (*Service, error)
}{
	{"slow", OpenSlow},
	{"double", OpenDouble},
	{"fast", OpenFast},
}

const workers = 4

// soon bounds what should not take long, even on a slow machine.
const soon = time.Minute

func makeEvent(i int) Event {
	return Event{fmt.Sprintf("user-%d", i%1000), "login", time.Unix(int64(i), 0)}
}

// locked holds a lock on the table, so that all who write to it wait.
func locked(t *testing.T, dsn string) (unlock func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
	require.NoError(t, err)
	return func() { require.NoError(t, conn.Close(context.Background())) } // ends the transaction
}

// The workers are in the middle of a batch each, and stay there: that is what a loaded batcher looks like
// to a health check.
func TestACheckBesideBusyWorkersNeedsAConnectionOfItsOwn(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			dsn := pgtest.Shared(t).NewDatabase(t)
			s, err := v.open(ctx, dsn, workers)
			require.NoError(t, err)
			unlock := locked(t, dsn)
			for i := range workers * perBatch {
				require.NoError(t, s.Add(ctx, makeEvent(i)))
			}
			require.Eventually(t, func() bool { return s.writer.Stat().AcquiredConns() == workers },
				soon, time.Millisecond)

			if v.name == "slow" {
				assert.Zero(t, s.others.Stat().IdleConns())
				patience, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
				defer cancel()
				_, err := s.Check(patience)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, "no connection")
			} else {
				_, err := s.Check(ctx)
				require.NoError(t, err)
				assert.Positive(t, s.others.Stat().IdleConns(), "the source's measure: one at least is idle")
			}

			unlock()
			require.NoError(t, s.batches.Flush(ctx))
			_, err = s.Check(ctx) // now with all of them
			require.NoError(t, err)
			var stored int
			require.NoError(t, s.others.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&stored))
			assert.Equal(t, workers*perBatch, stored)
			require.NoError(t, s.Close(ctx))
		})
	}
}

func TestThePoolCheckRefusesWhatStarves(t *testing.T) {
	pool, err := newPool(t.Context(), "postgres://127.0.0.1:1/none", workers) // connects to nothing yet
	require.NoError(t, err)
	defer pool.Close()
	require.NoError(t, pgsink.CheckPool(pool, workers, 0), "a pool of its own")
	assert.ErrorIs(t, pgsink.CheckPool(pool, workers, 1), batcher.ErrConfig, "one that is shared")
}

func TestWhatCannotBeOpenedIsTold(t *testing.T) {
	for _, v := range variants {
		_, err := v.open(t.Context(), "postgres://127.0.0.1:notaport/none", workers)
		require.ErrorContains(t, err, "port", v.name)
		_, err = v.open(t.Context(), "postgres://127.0.0.1:1/none", 0)
		require.ErrorContains(t, err, "0 connections", v.name)
		_, err = v.open(t.Context(), "postgres://127.0.0.1:1/none?sslmode=disable", workers)
		require.ErrorContains(t, err, "connect", v.name)
	}
}
