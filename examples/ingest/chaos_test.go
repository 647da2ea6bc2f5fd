package main

// Chaos: what can happen to a database, under load. After each of it, every event that was
// accepted is in the database exactly once or was handed back, memory was bounded, and the service
// has recovered by itself.

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// onServer sets the stage on a server of its own.
func onServer(t *testing.T, opts ...pgtest.Option) (*stage, *pgtest.Server) {
	t.Helper()
	server := pgtest.Start(t, opts...)
	dsn := server.NewDatabase(t)
	return setStage(t, dsn, dsn, nil), server
}

// behindProxy sets the stage on the shared server, with a network between.
func behindProxy(t *testing.T, change func(*config)) (*stage, *pgtest.Proxy) {
	t.Helper()
	server := pgtest.Shared(t)
	dsn := server.NewDatabase(t)
	proxy := pgtest.NewProxy(t, server.Addr())
	return setStage(t, dsn, proxy.DSN(dsn), change), proxy
}

func TestF50_AKilledServerLosesNothing(t *testing.T) {
	s, server := onServer(t)
	for range 2 {
		server.Kill(t)
		s.fail(1)
		s.ill()
		s.fill()
		server.Restart(t)
		s.storeMore()
		s.healthy()
	}
	assert.Zero(t, s.close())
}

func TestF50_ARestartedServerLosesNothing(t *testing.T) {
	s, server := onServer(t)
	for range 3 {
		server.Restart(t)
		s.storeMore()
		s.healthy()
	}
	assert.Zero(t, s.close())
}

func TestF50_APausedServerLosesNothing(t *testing.T) {
	s, server := onServer(t)
	server.Pause(t)
	s.fill()
	s.ill()
	server.Resume(t)
	s.storeMore()
	s.healthy()
	assert.Zero(t, s.close())
}

func TestF50_AServerThatIsPausedForLongerThanAnAttemptLosesNothing(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.NewDatabase(t)
	s := setStage(t, dsn, dsn, func(c *config) { c.flushLimit = 300 * time.Millisecond })
	server.Pause(t)
	s.fail(3)
	s.ill()
	server.Resume(t)
	s.storeMore()
	s.healthy()
	assert.Zero(t, s.close())
}

func TestF50_AServerWithoutAFreeConnectionLosesNothing(t *testing.T) {
	const most = 15
	server := pgtest.Start(t, pgtest.WithMaxConnections(most))
	dsn := server.NewDatabase(t)
	s := setStage(t, dsn, dsn+"&application_name=ingest", nil)
	free := takeAllConnections(t, server.DSN(), most)
	s.fail(3)
	assert.Contains(t, s.watched.last.Error(), "53300")
	s.ill()
	s.fill()
	free()
	s.storeMore()
	s.healthy()
	assert.Zero(t, s.close())
}

// takeAllConnections ends the connections of the service, and opens others until it has all n that
// the server takes: whatever the service tries meanwhile, it has none then.
func takeAllConnections(t *testing.T, dsn string, n int) (free func()) {
	t.Helper()
	ctx := context.Background()
	control, err := pgx.Connect(ctx, dsn)
	require.NoError(t, err)
	taken := []*pgx.Conn{control}
	require.Eventually(t, func() bool {
		const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ingest'"
		_, err := control.Exec(ctx, end)
		require.NoError(t, err)
		more, err := pgx.Connect(ctx, dsn)
		if err == nil {
			taken = append(taken, more)
			return len(taken) == n
		}
		var refusal *pgconn.PgError
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, "53300", refusal.Code)
		return false
	}, soon, time.Millisecond)
	return func() {
		for _, conn := range taken {
			_ = conn.Close(ctx) // nothing was done with it
		}
	}
}

func TestF50_ANetworkThatIsCutInTheMiddleOfABatchLosesNothing(t *testing.T) {
	s, proxy := behindProxy(t, nil)
	for _, bytes := range []int{1, 100, 3000, 5000, 7000} {
		<-proxy.CutAfter(bytes)
		s.storeMore()
	}
	_, failed := s.watched.counts()
	assert.Positive(t, failed)
	s.healthy()
	assert.Zero(t, s.close())
}

func TestF48_ABatchOfWhoseCommitNothingIsHeardIsNotStoredTwice(t *testing.T) {
	s, proxy := behindProxy(t, func(c *config) { c.delay = 100 * time.Millisecond }) // full batches
	const copyDone = "c\x00\x00\x00\x04"                                             // the message that ends the rows of a COPY
	for range 5 {
		_, before := s.watched.counts()
		<-proxy.CutReplyTo(copyDone)
		s.watched.until(t, "a batch fails", func(_, failed int) bool { return failed > before })
		s.storeMore()
	}
	s.healthy()
	assert.Zero(t, s.close())
}

func TestF50_ANetworkThatIsGoneForAWhileLosesNothing(t *testing.T) {
	s, proxy := behindProxy(t, func(c *config) { c.flushLimit = 300 * time.Millisecond })
	proxy.Blackhole()
	s.fail(2)
	s.ill()
	s.fill()
	proxy.Restore(t)
	s.storeMore()
	s.healthy()
	proxy.Refuse()
	proxy.Cut()
	s.fail(2)
	s.ill()
	s.fill()
	proxy.Restore(t)
	s.storeMore()
	s.healthy()
	assert.Zero(t, s.close())
}

func TestASlowNetworkMakesNothingFail(t *testing.T) {
	s, proxy := behindProxy(t, nil)
	_, before := s.watched.counts()
	proxy.Latency(20 * time.Millisecond)
	s.storeMore()
	s.storeMore()
	assert.Equal(t, http.StatusOK, s.health())
	_, after := s.watched.counts()
	assert.Equal(t, before, after)
	assert.Zero(t, s.close())
}

func TestTheEndOfTheServiceUnderLoadLosesNothing(t *testing.T) {
	s, _ := behindProxy(t, nil)
	assert.Zero(t, s.close()) // while the clients go on
}

func TestTheEndOfTheServiceWithoutADatabaseHandsBackWhatIsLeft(t *testing.T) {
	s, proxy := behindProxy(t, func(c *config) { c.grace = time.Second })
	proxy.Refuse()
	proxy.Cut()
	s.fail(2)
	s.fill()
	assert.Positive(t, s.close())
}
