// Package pool_starvation is exercise 6: a batcher whose workers hold all connections of a pool, and
// what else in the program wants one.
package pool_starvation

// The service: a batcher that writes to PostgreSQL, and a health check beside it.

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// Event is what is stored.
type Event struct {
	UserID string
	Action string
	Time   time.Time
}

const schema = "CREATE TABLE IF NOT EXISTS events (user_id text NOT NULL, action text NOT NULL, time timestamptz NOT NULL)"

// perBatch is how many events a worker writes at once.
const perBatch = 500

// Service stores events in batches, and answers health checks. The variants differ in the pools only:
// OpenSlow, OpenDouble and OpenFast.
type Service struct {
	batches *batcher.Batcher[Event]
	writer  *pgxpool.Pool // the workers' connections
	others  *pgxpool.Pool // everybody else's; it may be the same
}

// open makes the table, the sink and the batcher, and takes ownership of the pools, unless it fails.
func open(ctx context.Context, writer, others *pgxpool.Pool, workers int) (*Service, error) {
	if _, err := writer.Exec(ctx, schema); err != nil {
		return nil, err
	}
	sink, err := pgsink.New(ctx, writer, pgx.Identifier{"events"}, []pgsink.Column[Event]{
		pgsink.Text("user_id", func(e *Event) string { return e.UserID }),
		pgsink.Text("action", func(e *Event) string { return e.Action }),
		pgsink.Timestamptz("time", func(e *Event) time.Time { return e.Time }),
	})
	if err != nil {
		return nil, err
	}
	batches, err := batcher.New(sink.Write, batcher.WithMaxSize(perBatch), batcher.WithWorkers(workers))
	if err != nil {
		return nil, err
	}
	return &Service{batches, writer, others}, nil
}

// newPool returns a pool with room for so many connections, which it opens when they are wanted.
func newPool(ctx context.Context, dsn string, conns int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	if conns < 1 {
		return nil, fmt.Errorf("a pool of %d connections: there must be one at least", conns)
	}
	config.MaxConns = int32(conns)
	return pgxpool.NewWithConfig(ctx, config)
}

// Add hands over an event, see [batcher.Batcher.Add].
func (s *Service) Add(ctx context.Context, e Event) error { return s.batches.Add(ctx, e) }

// Check asks the database whether it answers, as a health check does, and also returns how long it
// has waited for a connection. If ctx ends before there is one, the error says so, and nothing is
// known about the database: to whoever asks, a service that is merely busy looks dead.
func (s *Service) Check(ctx context.Context) (wait time.Duration, err error) {
	began := time.Now()
	conn, err := s.others.Acquire(ctx)
	wait = time.Since(began)
	if err != nil {
		return wait, fmt.Errorf("no connection: %w", err)
	}
	defer conn.Release()
	return wait, conn.Ping(ctx)
}

// Close stores what was added, and then closes the pools. The error is that of [batcher.Batcher.Close].
func (s *Service) Close(ctx context.Context) error {
	err := s.batches.Close(ctx)
	s.writer.Close()
	s.others.Close() // if it is the same one, it is closed already, which is no error
	return err
}
