package main

import (
	"context"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// openTestPostgres opens a store on a database of its own.
func openTestPostgres(t *testing.T, m mode) (*postgresStore, string) {
	t.Helper()
	dsn := pgtest.Shared(t).NewDatabase(t)
	st, err := openPostgres(t.Context(), dsn, m, 1)
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	return st.(*postgresStore), dsn
}

func TestPostgresStoresEveryColumnHoweverItIsWritten(t *testing.T) {
	for _, m := range []mode{batched, plain, naive} {
		s, _ := openTestPostgres(t, m)
		e := someEvents(t, 1)[0]
		bare := Event{ID: uuid.New(), Time: e.Time, UserID: "u2", Action: "a2"}
		many := someEvents(t, 40) // too many for the sink's INSERT
		require.NoError(t, s.Write(t.Context(), []Event{e, bare}), m)
		require.NoError(t, s.Write(t.Context(), append(many, e)[:40]), m)

		read := func(id uuid.UUID) (got Event, metadata string) {
			row := s.reader.QueryRow(t.Context(), "SELECT id, time, client_id, user_id, action, metadata::text "+
				"FROM events WHERE id = $1", id)
			require.NoError(t, row.Scan(&got.ID, &got.Time, &got.ClientID, &got.UserID, &got.Action, &metadata))
			return got, metadata
		}
		for _, e := range []Event{e, many[39]} {
			got, metadata := read(e.ID)
			assert.JSONEq(t, `{"n":"ü\u0001\""}`, metadata, m)
			assert.True(t, e.Time.Truncate(time.Microsecond).Equal(got.Time), m)
			got.Time, got.Metadata = e.Time, e.Metadata
			assert.Equal(t, e, got, m)
		}
		got, metadata := read(bare.ID)
		assert.Equal(t, "{}", metadata, m)
		assert.Equal(t, "u2", got.UserID, m)
	}
}

func TestPostgresStoresBatchesOfAnySizeOnce(t *testing.T) {
	for _, n := range []int{1, 2, 500, 5500} {
		s, _ := openTestPostgres(t, batched)
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
	}
}

func TestPostgresIsCheckedWhileBatchesTakeAllTheirConnections(t *testing.T) {
	s, _ := openTestPostgres(t, batched)
	for range s.writer.Config().MaxConns {
		conn, err := s.writer.Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
	}
	require.NoError(t, s.Check(t.Context()))
	hang, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.Error(t, s.Write(hang, someEvents(t, 1)), "no connection for a batch")
}

func TestAClosedPostgresStoreSaysSo(t *testing.T) {
	s, _ := openTestPostgres(t, batched)
	require.NoError(t, s.Close())
	require.Error(t, s.Check(t.Context()))
	require.Error(t, s.ClientIDs(t.Context(), func(string) {}))
	require.Error(t, s.Write(t.Context(), someEvents(t, 1)))
}

func TestAForeignTableOfPostgresIsRefused(t *testing.T) {
	s, dsn := openTestPostgres(t, batched)
	_, err := s.reader.Exec(t.Context(), "ALTER TABLE events DROP COLUMN action")
	require.NoError(t, err)
	got := runProgram(t, t.Context(), defaults(), "", "-postgres", dsn, "-load", "5")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, `the table events is another one: ERROR: column "action" does not exist`)
}

func TestAPostgresThatIsNotThereEndsTheProgramWithAnError(t *testing.T) {
	server := pgtest.Start(t)
	dsn := server.DSN()
	server.Stop(t)
	for _, args := range [][]string{{"-postgres", dsn}, {"-postgres", dsn, "-load", "5", "-split"}} {
		got := runProgram(t, t.Context(), defaults(), "", args...)
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.stderr, "ingest: open the database postgres://"+server.Addr()+"/postgres: failed to connect")
		assert.Contains(t, got.stderr, "connection refused")
		assert.NotContains(t, got.stderr, passwordOf(t, dsn))
	}
}

func passwordOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	password, _ := u.User.Password()
	require.NotEmpty(t, password)
	return password
}

func TestAConnectionStringThatCannotBeReadIsNotQuoted(t *testing.T) {
	const general = "the connection string cannot be read: it should be a URL such as"
	for _, c := range []struct{ dsn, message string }{
		{"postgres://u:sesame@host:port/db", general},
		{"postgres://u:ses ame@host/db", general},
		{"postgres://u:ses%ame@host/db", general},
		{"postgres://u:5432x@host:5432x/db", general},
		{"host=h password=sesame port=x", general},
		{"sesame", general},
		{"postgres://u:12/sesame@host/db", general},
		{"postgres://host:12/db?password=sesame&connect_timeout=sesame", general},
		{"postgres://u:sesame@host/db?sslmode=bad", "the connection string cannot be read: failed to configure TLS"},
		{"postgres://u@host/db?sslmode=bad", "the connection string cannot be read: failed to configure TLS"},
		{"postgres://u:sesame@host/db?pool_max_conns=x", "the connection string cannot be read: " +
			"cannot parse pool_max_conns"},
	} {
		got := runProgram(t, t.Context(), defaults(), "", "-postgres", c.dsn)
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.stderr, "ingest: open the database given with -postgres: "+c.message, c.dsn)
		for _, secret := range []string{"sesame", "ses", "5432x"} {
			assert.NotContains(t, got.stderr, secret, c.dsn)
		}
	}
}

func TestALoadOnPostgresIsVerifiedInEveryMode(t *testing.T) {
	for _, c := range []struct {
		mode, answers, stats string
	}{
		{"", `270 answered 202, 30 answered 201`, "stats: added 300 = flushed 300 + failed 0 "},
		{"-plain", `300 answered 202, 0 answered 201`, ""},
		{"-naive", `0 answered 202, 300 answered 201`, ""},
	} {
		dsn := pgtest.Shared(t).NewDatabase(t)
		rescue := filepath.Join(t.TempDir(), "rescued")
		for _, split := range []bool{false, true} {
			args := []string{"-postgres", dsn, "-rescue", rescue, "-load", "300", "-conns", "8", "-wait-share", "0.1"}
			whose := "(clients and server share this process)"
			if split {
				t.Setenv(asProgram, "1")
				args, whose = append(args, "-split"), "(of the service alone)"
			}
			if c.mode != "" {
				args = append(args, c.mode)
			}
			got := runProgram(t, t.Context(), defaults(), "", args...)
			require.Zero(t, got.status, got.stderr)
			assert.Contains(t, got.stdout, c.answers)
			if c.mode != "-plain" { // whose only batch may come after the load
				assert.Regexp(t, `(?m)^flush +p50 \S+, p99 \S+, max \S+$`, got.stdout)
			}
			assert.Regexp(t, `(?m)^CPU per request +\S+ `+regexp.QuoteMeta(whose)+"$", got.stdout)
			assert.Regexp(t, `(?m)^memory +at most \S+ MiB resident`, got.stdout)
			assert.Contains(t, got.stdout, c.stats)
			assert.Contains(t, got.stdout, "verified: all 300 accepted events are in the database exactly once")
			assert.Contains(t, got.stderr, "database=postgres://"+pgtest.Shared(t).Addr())
			assert.NotContains(t, got.stdout+got.stderr, passwordOf(t, dsn))
			assert.NoFileExists(t, rescue)
		}
	}
}

func TestTheNaiveServiceAlsoRunsOnSQLite(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv(asProgram, "1")
	for _, args := range []string{"-load 100 -conns 4 -naive", "-load 100 -conns 4 -split"} {
		got := runProgram(t, t.Context(), defaults(), "", strings.Fields(args)...)
		require.Zero(t, got.status, got.stderr)
		assert.Contains(t, got.stdout, "verified: all 100 accepted events")
	}
}

func TestTheBaselinesRefuseWhatTheServiceRefuses(t *testing.T) {
	for _, m := range []mode{naive, plain} {
		cfg := testConfig(t)
		cfg.mode = m
		st := &memoryStore{}
		s, _ := startTestService(t, cfg, st)
		assert.Equal(t, 400, s.do("POST", "/event", `{"user_id":"u"}`).Code)
		assert.Equal(t, 413, s.do("POST", "/event", strings.Repeat(" ", maxBody+1)).Code)
		w := s.do("POST", "/event", goodEvent)
		assert.Equal(t, map[mode]int{naive: 201, plain: 202}[m], w.Code)
		require.NoError(t, s.shutdown())
		require.Len(t, st.events["c1"], 1)
		assert.JSONEq(t, `{"id":"`+st.events["c1"][0].ID.String()+`"}`, w.Body.String())
	}
}

func TestTheNaiveServiceAnswers500ForWhatItCannotStore(t *testing.T) {
	cfg := testConfig(t)
	cfg.mode = naive
	s, _ := newTestService(t, cfg, &memoryStore{before: func(context.Context, []Event) error {
		return context.DeadlineExceeded
	}})
	assert.Equal(t, 500, s.do("POST", "/event", goodEvent).Code)
	require.NoError(t, s.shutdown())
}
