package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func openTestSQLite(t *testing.T, path string) *sqliteStore {
	t.Helper()
	st, err := openSQLite(t.Context(), path)
	require.NoError(t, err)
	return st.(*sqliteStore)
}

func someEvents(t *testing.T, n int) []Event {
	t.Helper()
	events := make([]Event, n)
	for i := range events {
		in := eventInput{ID: fmt.Sprint(i), UserID: "u", Action: "a", Metadata: map[string]string{"n": "ü\x01\""}}
		var err error
		events[i], err = newEvent(in, 0)
		require.NoError(t, err)
	}
	return events
}

func TestSQLiteStoresEveryColumn(t *testing.T) {
	s := openTestSQLite(t, filepath.Join(t.TempDir(), "events.db"))
	e := someEvents(t, 1)[0]
	bare := Event{ID: uuid.New(), Time: e.Time, UserID: "u2", Action: "a2"}
	require.NoError(t, s.Write(t.Context(), []Event{e, bare}))

	read := func(id uuid.UUID) (got Event, metadata string) {
		var micros int64
		row := s.reader.QueryRow("SELECT id, time, client_id, user_id, action, metadata FROM events WHERE id = ?", id[:])
		require.NoError(t, row.Scan(&got.ID, &micros, &got.ClientID, &got.UserID, &got.Action, &metadata))
		got.Time = time.UnixMicro(micros)
		return got, metadata
	}
	got, metadata := read(e.ID)
	assert.JSONEq(t, `{"n":"ü\u0001\""}`, metadata)
	assert.True(t, e.Time.Truncate(time.Microsecond).Equal(got.Time))
	got.Time, got.Metadata = e.Time, e.Metadata
	assert.Equal(t, e, got)
	got, metadata = read(bare.ID)
	assert.Equal(t, "{}", metadata)
	assert.Equal(t, "u2", got.UserID)
	require.NoError(t, s.Close())
}

func TestSQLiteStoresBatchesOfAnySizeOnce(t *testing.T) {
	for _, n := range []int{1, rowsPerInsert - 1, rowsPerInsert, rowsPerInsert + 1, 5500} {
		s := openTestSQLite(t, filepath.Join(t.TempDir(), "events.db"))
		events := someEvents(t, n)
		for range 2 { // as after an error that came behind the commit
			require.NoError(t, s.Write(t.Context(), events))
		}
		all, err := tally(t.Context(), s)
		require.NoError(t, err)
		assert.Len(t, all, n)
		for id, stored := range all {
			assert.Equal(t, 1, stored, id)
		}
		require.NoError(t, s.Close())
	}
}

func TestSQLiteKeepsWhatItStored(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "odd name? #1 %41 ü.db")
	for run := 1; run <= 2; run++ {
		s := openTestSQLite(t, path)
		require.NoError(t, s.Check(t.Context()))
		require.NoError(t, s.Write(t.Context(), someEvents(t, 10)))
		all, err := tally(t.Context(), s)
		require.NoError(t, err)
		assert.Equal(t, run, all["0"])
		require.NoError(t, s.Close())
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "the write-ahead log is gone after Close")
	assert.Equal(t, filepath.Base(path), files[0].Name())
}

func TestSQLiteWritesAllOrNothing(t *testing.T) {
	s := openTestSQLite(t, filepath.Join(t.TempDir(), "events.db"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Write(ended, someEvents(t, 10)), context.Canceled)

	var pages int
	require.NoError(t, s.writer.QueryRow("PRAGMA page_count").Scan(&pages))
	_, err := s.writer.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+5))
	require.NoError(t, err)
	err = s.Write(t.Context(), someEvents(t, 1000)) // a full disk, in the middle of a batch
	require.ErrorContains(t, err, "full")
	assert.Equal(t, err, classify(err), "may pass: not permanent")

	all, err := tally(t.Context(), s)
	require.NoError(t, err)
	assert.Empty(t, all)
	_, err = s.writer.Exec("PRAGMA max_page_count = 1000000")
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), someEvents(t, 1000)), "there is room again")
	require.NoError(t, s.Close())
}

func TestSQLiteTellsWhatNoRetryWillMend(t *testing.T) {
	s := openTestSQLite(t, filepath.Join(t.TempDir(), "events.db"))
	_, err := s.writer.Exec(insertSQL(1), []byte("id"), 0, nil, "u", "a", "{}")
	require.Error(t, err)
	assert.NotEqual(t, err, classify(err), "NULL where there must be a text")
	_, err = s.writer.Exec(insertSQL(1), []byte("id"), "noon", "c", "u", "a", "{}")
	require.Error(t, err)
	assert.NotEqual(t, err, classify(err), "a text in a column of integers")
	other := errors.New("other")
	assert.Equal(t, other, classify(other))
	require.NoError(t, s.Close())
}

func TestSQLiteIsCheckedWhileABatchIsWritten(t *testing.T) {
	s := openTestSQLite(t, filepath.Join(t.TempDir(), "events.db"))
	tx, err := s.writer.Begin() // takes the lock and the only connection of the writer
	require.NoError(t, err)
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.Close())
	require.Error(t, s.Check(t.Context()))
	require.Error(t, s.ClientIDs(t.Context(), func(string) {}))
}
