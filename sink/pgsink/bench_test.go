package pgsink_test

// Benchmarks: what a batch of audit events costs in the different ways.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// writer writes events in one of the ways.
type writer func(ctx context.Context, events []event) error

// benchmarkWriter measures write with batches of so many rows, into an empty table each time.
func benchmarkWriter(b *testing.B, pool *pgxpool.Pool, rows int, write writer) {
	b.Helper()
	events, ctx := newEvents(rows), b.Context()
	require.NoError(b, write(ctx, events)) // warm up
	var cpu int64
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		_, err := pool.Exec(ctx, "TRUNCATE events")
		require.NoError(b, err)
		before := cpuTime()
		b.StartTimer()
		if err := write(ctx, events); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		cpu += int64(cpuTime() - before)
		b.StartTimer()
	}
	written := float64(b.N) * float64(rows)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/written, "ns/row")
	b.ReportMetric(float64(cpu)/written, "cpu-ns/row")
	require.Equal(b, int64(rows), value[int64](b, pool, "SELECT count(*) FROM events"))
}

// BenchmarkWrite compares the ways to write 1000 events: exercise 11. Into a table with a key, where
// most of the time is the server's, which has an index to keep; and into one without.
func BenchmarkWrite(b *testing.B) {
	const rows = 1000
	for _, table := range []struct{ name, definition string }{
		{"keyed", eventsTable},
		{"unkeyed", strings.Replace(eventsTable, "PRIMARY KEY", "NOT NULL", 1)},
	} {
		for _, impl := range []struct {
			name  string
			keyed bool // makes no sense without a key
			write func(b *testing.B, pool *pgxpool.Pool) writer
		}{
			{"bare", false, bare},
			{"pgsink", false, sinkWith()},
			{"copyfromsource", false, copyFromSource},
			{"copyfromslice", false, copyFromSlice},
			{"insert", false, insertValues},
			{"pgsink-nothing", true, sinkWith(pgsink.OnConflictDoNothing("id"))},
			{"pgsink-any", true, sinkWith(pgsink.OnConflictDoNothing())},
			{"pgsink-update", true, sinkWith(pgsink.OnConflictUpdate([]string{"id"}))},
		} {
			if impl.keyed && table.name != "keyed" {
				continue
			}
			b.Run(fmt.Sprintf("rows=%d/table=%s/impl=%s", rows, table.name, impl.name), func(b *testing.B) {
				pool := newTable(b, table.definition)
				benchmarkWriter(b, pool, rows, impl.write(b, pool))
			})
		}
	}
}

// BenchmarkSmall compares INSERT with COPY for small batches, for the default of WithInsertBelow.
func BenchmarkSmall(b *testing.B) {
	for _, mode := range []struct {
		name string
		opts []pgsink.Option
	}{
		{"plain", nil},
		{"update", []pgsink.Option{pgsink.OnConflictUpdate([]string{"id"})}},
	} {
		for _, rows := range []int{1, 2, 5, 10, 20, 50, 100} {
			for _, impl := range []struct {
				name  string
				below int
			}{{"copy", 0}, {"insert", math.MaxInt}} {
				b.Run(fmt.Sprintf("mode=%s/rows=%d/impl=%s", mode.name, rows, impl.name), func(b *testing.B) {
					pool := newTable(b, eventsTable)
					opts := append([]pgsink.Option{pgsink.WithInsertBelow(impl.below)}, mode.opts...)
					benchmarkWriter(b, pool, rows, sinkWith(opts...)(b, pool))
				})
			}
		}
	}
}

func sinkWith(opts ...pgsink.Option) func(b *testing.B, pool *pgxpool.Pool) writer {
	return func(b *testing.B, pool *pgxpool.Pool) writer {
		return newSink(b, pool, "events", eventColumns(), opts...).Write
	}
}

const copyEvents = `COPY events (id, at, user_id, action, target, details) FROM STDIN (FORMAT binary)`

// bare sends a stream that is encoded already: what is left is pgx and the server.
func bare(b *testing.B, pool *pgxpool.Pool) writer {
	var stream []byte
	return func(ctx context.Context, events []event) error {
		if stream == nil {
			stream = pgsink.Encode(newSink(b, pool, "events", eventColumns()), events)
		}
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		_, err = conn.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(stream), copyEvents)
		return err
	}
}

var eventNames = []string{"id", "at", "user_id", "action", "target", "details"}

// copyFromSlice is the way that most programs take: a []any for each row.
func copyFromSlice(_ *testing.B, pool *pgxpool.Pool) writer {
	return func(ctx context.Context, events []event) error {
		source := pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
			e := &events[i]
			details, err := json.Marshal(e.Details)
			return []any{e.ID, e.At, e.User, e.Action, e.Target, details}, err
		})
		_, err := pool.CopyFrom(ctx, pgx.Identifier{"events"}, eventNames, source)
		return err
	}
}

// rowSource reuses one row.
type rowSource struct {
	events []event
	next   int
	row    [6]any
	json   []byte
}

func (s *rowSource) Next() bool { return s.next < len(s.events) }
func (s *rowSource) Err() error { return nil }

func (s *rowSource) Values() ([]any, error) {
	e := &s.events[s.next]
	s.next++
	var err error
	s.json, err = appendDetails(s.json[:0], e)
	s.row = [6]any{e.ID, e.At, e.User, e.Action, e.Target, s.json}
	return s.row[:], err
}

func copyFromSource(_ *testing.B, pool *pgxpool.Pool) writer {
	return func(ctx context.Context, events []event) error {
		_, err := pool.CopyFrom(ctx, pgx.Identifier{"events"}, eventNames, &rowSource{events: events})
		return err
	}
}

// insertValues is one INSERT with all the rows, as pgx sends it.
func insertValues(_ *testing.B, pool *pgxpool.Pool) writer {
	return func(ctx context.Context, events []event) error {
		var text strings.Builder
		args := make([]any, 0, 6*len(events))
		text.WriteString("INSERT INTO events (id, at, user_id, action, target, details) VALUES ")
		for i := range events {
			e := &events[i]
			if i > 0 {
				text.WriteString(", ")
			}
			n := len(args)
			fmt.Fprintf(&text, "($%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6)
			details, err := json.Marshal(e.Details)
			if err != nil {
				return err
			}
			args = append(args, e.ID, e.At, e.User, e.Action, e.Target, details)
		}
		_, err := pool.Exec(ctx, text.String(), args...)
		return err
	}
}
