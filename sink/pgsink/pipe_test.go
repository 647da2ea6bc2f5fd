package pgsink_test

// Batches so long that they are sent while they are encoded.

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// manyRows are a batch of several chunks.
const manyRows = 3000

func TestBadItemsOfALongBatchFailAlone(t *testing.T) {
	pool := newTable(t, eventsTable)
	for _, opts := range [][]pgsink.Option{nil, {pgsink.OnConflictUpdate([]string{"id"})}} {
		events := newEvents(manyRows)
		for i := range events {
			events[i].ID[0] ^= byte(len(opts)) // not those of the run before
		}
		events[7].bad, events[2000].bad, events[manyRows-1].bad = true, true, true
		before := value[int64](t, pool, "SELECT count(*) FROM events")
		err := newSink(t, pool, "events", eventColumns(), opts...).Write(t.Context(), events)
		var partial *batcher.PartialError
		require.ErrorAs(t, err, &partial)
		assert.Len(t, partial.Errs, 3)
		for _, i := range []int{7, 2000, manyRows - 1} {
			assert.ErrorIs(t, partial.Errs[i], errBadDetails)
		}
		assert.EqualValues(t, before+manyRows-3, value[int64](t, pool, "SELECT count(*) FROM events"))
	}
}

func TestARowThatIsRefusedFarInALongBatchIsNamed(t *testing.T) {
	pool := newTable(t, eventsTable, "ALTER TABLE events ADD CHECK (action <> 'forbidden')")
	events := newEvents(manyRows)
	events[5].bad = true
	events[2500].Action = "forbidden"
	err := newSink(t, pool, "events", eventColumns()).Write(t.Context(), events)
	var partial *batcher.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Len(t, partial.Errs, 2)
	var row *pgsink.RowError
	require.ErrorAs(t, partial.Errs[2500], &row)
	assert.Equal(t, 2500, row.Row)
	assert.EqualValues(t, manyRows-2, value[int64](t, pool, "SELECT count(*) FROM events"))
}

// The user's functions run on the goroutine of Write, whose panic and whose end are the batcher's
// to survive.
func TestAFunctionThatEndsALongBatchLeavesNothingBehind(t *testing.T) {
	pool := newTable(t, eventsTable)
	end := func() {}
	columns := eventColumns()
	columns[2] = pgsink.Text("user_id", func(e *event) string {
		if e.User == "the end" {
			end()
		}
		return e.User
	})
	sink := newSink(t, pool, "events", columns)
	events := newEvents(manyRows)
	events[2000].User = "the end"

	end = func() { panic("no more") }
	assert.PanicsWithValue(t, "no more", func() { _ = sink.Write(t.Context(), events) })
	end = runtime.Goexit
	returned := false
	var writer sync.WaitGroup
	writer.Go(func() {
		_ = sink.Write(t.Context(), events)
		returned = true
	})
	writer.Wait()
	assert.False(t, returned)

	assert.Zero(t, pool.Stat().AcquiredConns())
	assert.Zero(t, value[int64](t, pool, "SELECT count(*) FROM events"))
	events[2000].User = strings.Repeat("x", 100)
	require.NoError(t, sink.Write(t.Context(), events))
	assert.EqualValues(t, manyRows, value[int64](t, pool, "SELECT count(*) FROM events"))
}
