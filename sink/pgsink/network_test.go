package pgsink_test

// Contexts that end, connections that break, servers that go away.

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

var errEnough = errors.New("enough")

// distant is a sink behind a network.
type distant struct {
	sink    *pgsink.Sink[event]
	network *pgtest.Proxy
	pool    *pgxpool.Pool // the sink's
	near    *pgxpool.Pool // past the network
}

func newDistant(t *testing.T, opts ...pgsink.Option) *distant {
	t.Helper()
	server := pgtest.Shared(t)
	d := &distant{network: pgtest.NewProxy(t, server.Addr())}
	dsn := server.NewDatabase(t)
	d.near = pgtest.Pool(t, dsn)
	d.pool = pgtest.Pool(t, d.network.DSN(dsn))
	run(t, d.near, eventsTable)
	d.sink = newSink(t, d.pool, "events", eventColumns(), opts...)
	return d
}

func (d *distant) stored(t *testing.T) int64 {
	t.Helper()
	return value[int64](t, d.near, "SELECT count(*) FROM events")
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	sink, pool := newEventSink(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	acquired := pool.Stat().AcquireCount()
	err := sink.Write(ctx, newEvents(3))
	require.ErrorIs(t, err, errEnough)
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, batcher.IsPermanent(err))
	assert.ErrorContains(t, err, "pgsink: nothing was sent: enough")
	assert.Equal(t, acquired, pool.Stat().AcquireCount())
}

func TestAContextThatEndsWhileWaitingForAConnection(t *testing.T) {
	pool := oneConnection(t, eventsTable)
	sink := newSink(t, pool, "events", eventColumns())
	conn, err := pool.Acquire(within(t, soon))
	require.NoError(t, err)
	defer conn.Release()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errEnough)
	defer cancel()
	err = sink.Write(ctx, newEvents(3))
	require.ErrorIs(t, err, errEnough)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.False(t, batcher.IsPermanent(err))
}

func TestAContextThatEndsInMidCopyClosesTheConnectionAndTheNextWriteWorks(t *testing.T) {
	for name, opts := range map[string][]pgsink.Option{
		"copy": nil, "staging": {pgsink.OnConflictDoNothing("id")}, "insert": {pgsink.WithInsertBelow(1 << 20)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDistant(t, opts...)
			require.NoError(t, d.sink.Write(within(t, soon), newEvents(1)))
			d.network.Blackhole()
			ctx, cancel := context.WithCancelCause(t.Context())
			result := make(chan error, 1)
			go func() { result <- d.sink.Write(ctx, newEvents(10_000)) }()
			require.Eventually(t, func() bool { return d.pool.Stat().AcquiredConns() == 1 }, soon, time.Millisecond)
			cancel(errEnough)
			select {
			case err := <-result:
				require.ErrorIs(t, err, errEnough)
				require.ErrorIs(t, err, context.Canceled)
				assert.False(t, batcher.IsPermanent(err))
			case <-time.After(soon):
				t.Fatal("the call waits for a network that is gone")
			}
			d.network.Restore(t)
			run(t, d.near, "TRUNCATE events")
			require.NoError(t, d.sink.Write(within(t, soon), newEvents(100)))
			assert.Equal(t, int64(100), d.stored(t))
		})
	}
}

func TestF50_AConnectionThatBreaksInMidCopyIsAnErrorAndTheNextWriteWorks(t *testing.T) {
	d := newDistant(t)
	for _, n := range []int{1, 100, 5000, 60_000, 200_000, 900_000} {
		happens := d.network.CutAfter(n)
		err := d.sink.Write(within(t, soon), newEvents(10_000))
		require.Error(t, err, "cut after %d bytes", n)
		assert.False(t, batcher.IsPermanent(err))
		<-happens
		assert.Zero(t, d.stored(t), "all or nothing")
	}
	require.NoError(t, d.sink.Write(within(t, soon), newEvents(10)))
}

func TestF50_ARefusedConnectionIsTriedAgain(t *testing.T) {
	d := newDistant(t)
	d.network.Refuse()
	d.network.Cut()
	d.pool.Reset()
	var tries int
	var mu sync.Mutex
	b, err := batcher.New(func(ctx context.Context, batch []event) error {
		err := d.sink.Write(ctx, batch)
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 2 {
			d.network.Restore(t)
		}
		return err
	}, batcher.WithRetry(10, batcher.ExponentialBackoff(time.Millisecond, time.Millisecond)))
	require.NoError(t, err)
	require.NoError(t, b.AddWait(within(t, soon), newEvent(1)))
	require.NoError(t, b.Close(within(t, soon)))
	assert.Equal(t, int64(1), d.stored(t))
	assert.Equal(t, 3, tries)
}

func TestF48_ALostAnswerLeavesNoDoubles(t *testing.T) {
	for name, opt := range map[string]pgsink.Option{
		"nothing": pgsink.OnConflictDoNothing("id"), "update": pgsink.OnConflictUpdate([]string{"id"}),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDistant(t, opt, pgsink.WithInsertBelow(0))
			release := lock(t, d.near, "LOCK TABLE events")
			result := make(chan error, 1)
			go func() { result <- d.sink.Write(t.Context(), newEvents(50)) }()
			require.Eventually(t, func() bool { // the server has it all, and waits for the lock
				return value[bool](t, d.near, waiting)
			}, soon, 5*time.Millisecond)
			d.network.Refuse() // else pgx asks the server to cancel the statement
			d.network.Cut()
			err := <-result
			require.Error(t, err)
			assert.False(t, batcher.IsPermanent(err))
			release()
			require.Eventually(t, func() bool { return d.stored(t) == 50 }, soon, 5*time.Millisecond,
				"an error does not mean that nothing was written")
			d.network.Restore(t) // not before: pgx asks in the background
			require.NoError(t, d.sink.Write(within(t, soon), newEvents(50)))
			assert.Equal(t, int64(50), d.stored(t))
		})
	}
}

func TestF50_AServerThatIsKilledUnderLoadLosesNothing(t *testing.T) {
	server := pgtest.Start(t)
	pool := pgtest.Pool(t, server.NewDatabase(t))
	run(t, pool, eventsTable)
	sink := newSink(t, pool, "events", eventColumns(), pgsink.OnConflictDoNothing("id"))
	letters := batchertest.NewLetters[event]()
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(100), batcher.WithWorkers(3), batcher.WithFlushTimeout(5*time.Second),
		batcher.WithRetry(10_000, batcher.ExponentialBackoff(time.Millisecond, 50*time.Millisecond)), batcher.WithDeadLetter(letters.Handle))
	require.NoError(t, err)
	const n = 6000
	added := make(chan error, 1)
	go func() {
		for i := range n {
			if err := b.Add(t.Context(), newEvent(i)); err != nil {
				added <- err
				return
			}
		}
		added <- nil
	}()
	flushed := func(n int) {
		require.Eventually(t, func() bool { return b.Stats().Flushed >= int64(n) }, soon, time.Millisecond)
	}
	flushed(500)
	server.Kill(t)
	server.Restart(t)
	flushed(2000)
	server.Restart(t)
	flushed(3500)
	server.Pause(t)
	server.Resume(t)
	require.NoError(t, <-added)
	require.NoError(t, b.Close(within(t, 2*soon)))
	assert.Empty(t, letters.Items())
	assert.Equal(t, int64(n), value[int64](t, pool, "SELECT count(*) FROM events"))
}

func TestManyWritersShareASink(t *testing.T) {
	for name, opts := range map[string][]pgsink.Option{
		"copy": {pgsink.WithInsertBelow(0)}, "both": {pgsink.WithInsertBelow(25)}, "staging": {pgsink.OnConflictDoNothing("id"), pgsink.WithInsertBelow(25)},
	} {
		t.Run(name, func(t *testing.T) {
			sink, pool := newEventSink(t, opts...)
			var writers sync.WaitGroup
			for w := range 8 {
				writers.Go(func() {
					for round := range 10 {
						batch := make([]event, 0, 50)
						for i := range 10 * (1 + round%5) {
							batch = append(batch, newEvent(w<<20|round<<10|i))
						}
						batch = append(batch, event{bad: true})
						var partial *batcher.PartialError
						if assert.ErrorAs(t, sink.Write(t.Context(), batch), &partial) {
							assert.Len(t, partial.Errs, 1)
						}
					}
				})
			}
			writers.Wait()
			assert.Equal(t, int64(8*2*150), value[int64](t, pool, "SELECT count(*) FROM events"))
			assert.Equal(t, int64(8*2*150), value[int64](t, pool,
				"SELECT count(*) FROM events WHERE target LIKE 'documents/%' AND details ->> 'agent' LIKE 'Mozilla%'"))
		})
	}
}

func TestErrorsDoNotShowThePassword(t *testing.T) {
	server := pgtest.Shared(t)
	dsn := strings.Replace(server.NewDatabase(t), passwordOf(t, server.DSN()), "not-the-password", 1)
	pool := pgtest.Pool(t, dsn)
	_, err := pgsink.New(within(t, soon), pool, pgx.Identifier{"t"}, intsOf("a"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "not-the-password")
	assert.False(t, batcher.IsPermanent(err))
}
