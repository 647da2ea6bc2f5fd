package pgtest

// A database for a test, and connections to it.

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// NewDatabase makes an empty database and returns its connection string, a URL. It is dropped at the
// end of the test, with whatever is still connected to it; if the server does not answer then, it
// is left to its fate.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("pgtest: make a database: %v; the server's log:\n%s", err, tail(s.Log()))
	}
	t.Cleanup(func() {
		if s.process != nil {
			_ = s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") // FORCE since version 13
		}
	})
	return s.dsn(name)
}

// exec runs a statement in the server's own database.
func (s *Server) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	_ = conn.Close(ctx)
	return err
}

// Pool opens a pool of connections to dsn, whose parameters such as pool_max_conns it obeys, and
// closes it at the end of the test. A connection that was not given back by then fails the test.
func Pool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		t.Fatalf("pgtest: open a pool: %v", err)
	}
	t.Cleanup(func() {
		if err := closePool(pool, 10*time.Second); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// closePool closes a pool, which waits for all connections in use.
func closePool(pool *pgxpool.Pool, limit time.Duration) error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	select {
	case <-closed:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("pgtest: %d connections were not given back to the pool",
			pool.Stat().AcquiredConns())
	}
}
