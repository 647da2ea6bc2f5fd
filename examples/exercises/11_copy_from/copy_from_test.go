package copy_from

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher"
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
	make func(t testing.TB, pool *pgxpool.Pool) batcher.FlushFunc[Event]
}{
	{"slow", store((*Store).WriteSlow)},
	{"slice", store((*Store).WriteSlice)},
	{"source", store((*Store).WriteSource)},
	{"pointers", store((*Store).WritePointers)},
	{"fast", func(t testing.TB, pool *pgxpool.Pool) batcher.FlushFunc[Event] {
		sink, err := NewFast(t.Context(), pool)
		require.NoError(t, err)
		return sink.Write
	}},
}

func store(
	write func(*Store, context.Context, []Event) error,
) func(testing.TB, *pgxpool.Pool) batcher.FlushFunc[Event] {
	return func(_ testing.TB, pool *pgxpool.Pool) batcher.FlushFunc[Event] {
		s := NewStore(pool)
		return func(ctx context.Context, batch []Event) error { return write(s, ctx, batch) }
	}
}

// soon bounds what should not take long, even on a slow machine.
const soon = time.Minute

// newTable makes a database with the table, and a pool for it.
func newTable(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t, pgtest.Shared(t).NewDatabase(t))
	_, err := pool.Exec(t.Context(), Schema)
	require.NoError(t, err)
	return pool
}

// makeEvents returns n events, no two alike.
func makeEvents(n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{
			UserID: fmt.Sprintf("user-%d", i*7919%1000),
			Action: "document.update",
			Time:   time.Date(2026, 3, 1, 12, 0, 0, i*1000, time.UTC),
		}
	}
	return events
}

// stored returns what is in the table.
func stored(t *testing.T, pool *pgxpool.Pool) []Event {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT user_id, action, time FROM events ORDER BY time, user_id")
	require.NoError(t, err)
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Event])
	require.NoError(t, err)
	for i := range events {
		events[i].Time = events[i].Time.UTC()
	}
	return events
}

func TestAllWaysStoreTheSameRows(t *testing.T) {
	want := append(makeEvents(1000),
		Event{"", "", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		Event{"Zoë\t\"世界\"\\N\n", "\\.", time.Date(2027, 1, 1, 0, 0, 1, 0, time.UTC)}, // what COPY's text format would mistake
	)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			pool := newTable(t)
			write := v.make(t, pool)
			require.NoError(t, write(ctx, want[:600])) // the second batch finds what the first has left
			require.NoError(t, write(ctx, want[600:]))
			assert.Equal(t, want, stored(t, pool))
		})
	}
}

func TestABadRowIsAnErrorAndNothingIsHalfStored(t *testing.T) {
	batch := makeEvents(10)
	batch[4].UserID = "nul\x00"
	good := append(makeEvents(4), makeEvents(10)[5:]...)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			pool := newTable(t)
			err := v.make(t, pool)(t.Context(), batch)
			require.Error(t, err)
			if v.name != "fast" {
				assert.Empty(t, stored(t, pool), "one bad row fails them all")
				return
			}
			var partial *batcher.PartialError
			require.ErrorAs(t, err, &partial)
			assert.Len(t, partial.Errs, 1)
			assert.ErrorContains(t, partial.Errs[4], "NUL")
			assert.Equal(t, good, stored(t, pool))
		})
	}
}

// Without pgx and a server, what the sources allocate is exact.
func TestOneReusedRowSavesTheRowsAndPointersSaveTheValues(t *testing.T) {
	const rows, values = 1000, 3
	batch := makeEvents(rows)
	drain := func(s pgx.CopyFromSource) {
		for s.Next() {
			if _, err := s.Values(); err != nil {
				t.Error(err)
			}
		}
	}
	slow := testing.AllocsPerRun(10, func() { drain(pgx.CopyFromRows(makeRows(batch))) })
	source := testing.AllocsPerRun(10, func() { drain(&source{batch: batch}) })
	pointers := testing.AllocsPerRun(10, func() { drain(newPointerSource(batch)) })
	assert.InDelta(t, rows*(values+1)+1, slow, 1, "each value, each row, and the slice of rows")
	assert.InDelta(t, rows*values, source, 1, "each value")
	assert.InDelta(t, 0, pointers, 1, "the source itself")
}

func TestTheSinkAllocatesNothingForARow(t *testing.T) {
	pool := newTable(t)
	ctx, write := t.Context(), variants[len(variants)-1].make(t, pool)
	allocs := func(rows int) float64 {
		batch := makeEvents(rows)
		return testing.AllocsPerRun(5, func() {
			if err := write(ctx, batch); err != nil {
				t.Error(err)
			}
		})
	}
	allocs(1000) // grows the buffers
	assert.Less(t, allocs(1000), 100.0)
}
