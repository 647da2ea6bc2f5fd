package pgsink_test

// Helpers of the tests: an audit event, and tables for it.

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// soon bounds what should not take long, even on a slow machine.
const soon = time.Minute

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// event is an audit event.
type event struct {
	ID      [16]byte
	At      time.Time
	User    string
	Action  string
	Target  string
	Details map[string]string
	bad     bool // its details cannot be encoded
}

const eventsTable = `CREATE TABLE events (
	id uuid PRIMARY KEY,
	at timestamptz NOT NULL,
	user_id text NOT NULL,
	action varchar(40) NOT NULL,
	target text,
	details jsonb NOT NULL
)`

var errBadDetails = fmt.Errorf("details that cannot be encoded")

func eventColumns() []pgsink.Column[event] {
	return []pgsink.Column[event]{
		pgsink.UUID("id", func(e *event) [16]byte { return e.ID }),
		pgsink.Timestamptz("at", func(e *event) time.Time { return e.At }),
		pgsink.Text("user_id", func(e *event) string { return e.User }),
		pgsink.Text("action", func(e *event) string { return e.Action }),
		pgsink.Text("target", func(e *event) string { return e.Target }).
			NullIf(func(e *event) bool { return e.Target == "" }),
		pgsink.JSON("details", appendDetails),
	}
}

// appendDetails is the hand-written JSON of two known details.
func appendDetails(dst []byte, e *event) ([]byte, error) {
	if e.bad {
		return nil, errBadDetails
	}
	dst = appendString(append(dst, `{"ip":`...), e.Details["ip"])
	dst = appendString(append(dst, `,"agent":`...), e.Details["agent"])
	return append(dst, '}'), nil
}

// appendString appends s as JSON.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// newEvent returns the i-th event.
func newEvent(i int) event {
	e := event{
		At:     time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Millisecond),
		User:   "user-" + strconv.Itoa(i%977),
		Action: "document.update",
		Target: "documents/" + strconv.Itoa(i),
		Details: map[string]string{
			"ip":    "203.0.113." + strconv.Itoa(i%256),
			"agent": "Mozilla/5.0 (X11; Linux x86_64)",
		},
	}
	binary.BigEndian.PutUint64(e.ID[:], uint64(i)*0x9e3779b97f4a7c15) // spread, as random ones are
	binary.BigEndian.PutUint64(e.ID[8:], uint64(i))
	return e
}

func newEvents(n int) []event {
	events := make([]event, n)
	for i := range events {
		events[i] = newEvent(i)
	}
	return events
}

// newTable makes a database with what the statements make, and a pool for it.
func newTable(t testing.TB, statements ...string) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t, pgtest.Shared(t).NewDatabase(t))
	for _, statement := range statements {
		run(t, pool, statement)
	}
	return pool
}

func run(t testing.TB, pool *pgxpool.Pool, statement string, args ...any) {
	t.Helper()
	_, err := pool.Exec(within(t, soon), statement, args...)
	require.NoError(t, err)
}

// value returns what a query for one value finds.
func value[V any](t testing.TB, pool *pgxpool.Pool, query string, args ...any) (v V) {
	t.Helper()
	require.NoError(t, pool.QueryRow(within(t, soon), query, args...).Scan(&v))
	return v
}

// values returns what a query for one column finds.
func values[V any](t testing.TB, pool *pgxpool.Pool, query string, args ...any) []V {
	t.Helper()
	rows, err := pool.Query(within(t, soon), query, args...)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[V])
	require.NoError(t, err)
	return all
}

// newSink makes a sink that must be one.
func newSink[T any](
	t testing.TB, pool *pgxpool.Pool, table string, columns []pgsink.Column[T], opts ...pgsink.Option,
) *pgsink.Sink[T] {
	t.Helper()
	sink, err := pgsink.New(within(t, soon), pool, pgx.Identifier{table}, columns, opts...)
	require.NoError(t, err)
	return sink
}

// newEventSink makes a table of events and a sink for it.
func newEventSink(t testing.TB, opts ...pgsink.Option) (*pgsink.Sink[event], *pgxpool.Pool) {
	t.Helper()
	pool := newTable(t, eventsTable)
	return newSink(t, pool, "events", eventColumns(), opts...), pool
}
