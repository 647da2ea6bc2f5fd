package pgsink_test

// The suite that every sink passes, and how a real server fails.

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

func TestConformance(t *testing.T) {
	for name, mode := range map[string]struct {
		idempotent bool
		opts       []pgsink.Option
	}{
		"copy":    {false, []pgsink.Option{pgsink.WithInsertBelow(0)}},
		"default": {false, nil},
		"nothing": {true, []pgsink.Option{pgsink.OnConflictDoNothing("id")}},
		"update":  {true, []pgsink.Option{pgsink.OnConflictUpdate([]string{"id"}), pgsink.WithInsertBelow(0)}},
	} {
		t.Run(name, func(t *testing.T) {
			batchertest.TestSink(t, batchertest.SinkTest[*event]{
				Open:       func(t testing.TB) batchertest.Target[*event] { return openEvents(t, mode.opts) },
				Item:       func(i int) *event { e := newEvent(i); return &e },
				Key:        func(e *event) string { return hex.EncodeToString(e.ID[:]) },
				BadItem:    func(i int) *event { e := newEvent(i); e.bad = true; return &e },
				Spoil:      func(e *event) { *e = event{} },
				Idempotent: mode.idempotent,
				Ordered:    !mode.idempotent,
				Secrets:    []string{passwordOf(t, pgtest.Shared(t).DSN())},
			})
		})
	}
}

// openEvents makes a table of its own. It hangs when somebody else locks it.
func openEvents(t testing.TB, opts []pgsink.Option) batchertest.Target[*event] {
	t.Helper()
	pool := newTable(t, eventsTable, "CREATE SEQUENCE place", "ALTER TABLE events ADD place bigint DEFAULT nextval('place')")
	var columns []pgsink.Column[*event]
	columns = append(columns,
		pgsink.UUID("id", func(e **event) [16]byte { return (*e).ID }),
		pgsink.Timestamptz("at", func(e **event) time.Time { return (*e).At }),
		pgsink.Text("user_id", func(e **event) string { return (*e).User }),
		pgsink.Text("action", func(e **event) string { return (*e).Action }),
		pgsink.JSON("details", func(dst []byte, e **event) ([]byte, error) { return appendDetails(dst, *e) }),
	)
	return batchertest.Target[*event]{
		Write: newSink(t, pool, "events", columns, opts...).Write,
		Stored: func(t testing.TB) []string {
			return values[string](t, pool, "SELECT encode(uuid_send(id), 'hex') FROM events ORDER BY place")
		},
		Hang:  func(t testing.TB) func() { return lock(t, pool, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE") },
		Close: pool.Close,
	}
}

// lock holds a transaction open after the statements, until release is called.
func lock(t testing.TB, pool *pgxpool.Pool, statements ...string) (release func()) {
	t.Helper()
	conn, err := pgx.ConnectConfig(within(t, soon), pool.Config().ConnConfig)
	require.NoError(t, err)
	for _, statement := range append([]string{"BEGIN"}, statements...) {
		_, err := conn.Exec(within(t, soon), statement)
		require.NoError(t, err)
	}
	return func() {
		_, err := conn.Exec(context.Background(), "COMMIT")
		assert.NoError(t, err)
		assert.NoError(t, conn.Close(context.Background()))
	}
}

func passwordOf(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	password, set := u.User.Password()
	require.True(t, set)
	return password
}

// setUp says how the table and the session are before the failure.
type setUp struct {
	statements []string // after the table was made
	settings   []string // of the sink's sessions
	role       string   // the user of the sink's sessions, none for the superuser
	opts       []pgsink.Option
	batch      []record
	// fail makes the failure happen; the batch is then written. Nil if the statements do it.
	fail func(t testing.TB, f *failing) (undo func())
}

// failing is a sink to a table that is about to fail.
type failing struct {
	admin *pgxpool.Pool // the superuser's
	pool  *pgxpool.Pool // the sink's
	sink  *pgsink.Sink[record]
}

// provoke writes a batch while something is wrong.
func (s setUp) provoke(t testing.TB) error {
	t.Helper()
	f := &failing{admin: newTable(t, append([]string{recordTable}, s.statements...)...)}
	defer f.admin.Close()
	config := f.admin.Config()
	for i := 0; i < len(s.settings); i += 2 {
		config.ConnConfig.RuntimeParams[s.settings[i]] = s.settings[i+1]
	}
	if s.role != "" {
		config.ConnConfig.User, config.ConnConfig.Password = s.role, s.role
		_, _ = f.admin.Exec(within(t, soon), "CREATE ROLE "+s.role) // which an earlier run may have left as it was
		run(t, f.admin, "ALTER ROLE "+s.role+" LOGIN CONNECTION LIMIT -1 PASSWORD '"+s.role+"'")
		run(t, f.admin, "GRANT ALL ON t TO "+s.role)
	}
	var err error
	f.pool, err = pgxpool.NewWithConfig(within(t, soon), config)
	require.NoError(t, err)
	defer f.pool.Close()
	f.sink = newSink(t, f.pool, "t", recordColumns(), s.opts...)
	if s.fail != nil {
		undo := s.fail(t, f)
		defer undo()
	}
	return f.sink.Write(within(t, soon), s.batch)
}

// after runs statements as the superuser, and makes the sink's sessions new ones.
func after(statements ...string) func(t testing.TB, f *failing) func() {
	return func(t testing.TB, f *failing) func() {
		t.Helper()
		for _, statement := range statements {
			run(t, f.admin, statement)
		}
		f.pool.Reset()
		return func() {}
	}
}

// waiting asks whether a session of this database waits for a lock.
const waiting = `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity USING (pid)
	WHERE NOT l.granted AND datname = current_database())`

// whileWaiting runs what, on a goroutine of its own, when the sink waits for a lock that somebody
// else has taken by a statement, and then releases that.
func whileWaiting(lockBy string, what func(t testing.TB, f *failing)) func(t testing.TB, f *failing) func() {
	return func(t testing.TB, f *failing) func() {
		release := lock(t, f.admin, lockBy)
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer release()
			assert.Eventually(t, func() bool {
				var yes bool
				err := f.admin.QueryRow(context.Background(), waiting).Scan(&yes)
				return err == nil && yes
			}, soon, 5*time.Millisecond)
			what(t, f)
		}()
		return func() { <-done }
	}
}

func TestF50_TheFailuresOfARealServerAreSorted(t *testing.T) {
	one := []record{{id: 1}, {id: 2}}
	update := pgsink.OnConflictUpdate([]string{"id"})
	stop := func(function string) func(t testing.TB, f *failing) {
		return func(t testing.TB, f *failing) {
			_, err := f.admin.Exec(context.Background(), "SELECT "+function+"(pid) FROM pg_locks WHERE NOT granted")
			assert.NoError(t, err)
		}
	}
	failures := map[string]struct {
		setUp setUp
		want  batchertest.Verdict
		code  string
	}{
		"a row is refused": {setUp{batch: []record{{id: 1}, {id: 1}}}, batchertest.Partial, ""},
		"a row is refused, without isolation": {
			setUp{batch: []record{{id: 1}, {id: 1}}, opts: []pgsink.Option{noIsolation()}}, batchertest.Permanent, "23505",
		},
		"a key is refused at the end": {
			setUp{batch: []record{{id: 1, n: 1}, {id: 2, n: 9}}, statements: []string{"ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES t"}},
			batchertest.Permanent, "",
		},
		"the table is gone":   {setUp{batch: one, fail: after("DROP TABLE t")}, batchertest.Permanent, "42P01"},
		"a column is gone":    {setUp{batch: one, fail: after("ALTER TABLE t DROP s")}, batchertest.Permanent, "42703"},
		"a privilege is gone": {setUp{batch: one, role: "revoked", fail: after("REVOKE ALL ON t FROM revoked")}, batchertest.Permanent, "42501"},
		"an index entry is too big": {
			setUp{batch: []record{{id: 1, s: incompressible(20_000)}, {id: 2}}, statements: []string{"CREATE INDEX ON t (s)"}},
			batchertest.Permanent, "54000",
		},
		"the password has changed": {
			setUp{batch: one, role: "rotated", fail: after("ALTER ROLE rotated PASSWORD 'new'")}, batchertest.Transient, "28P01",
		},
		"the role may not connect": {
			setUp{batch: one, role: "locked_out", fail: after("ALTER ROLE locked_out NOLOGIN", "GRANT ALL ON t TO locked_out")},
			batchertest.Transient, "28000",
		},
		"there are too many connections": {
			setUp{batch: one, role: "crowded", fail: after("ALTER ROLE crowded CONNECTION LIMIT 0")}, batchertest.Throttled, "53300",
		},
		"the server is read-only": {
			setUp{batch: one, fail: func(t testing.TB, f *failing) func() {
				return after("ALTER DATABASE "+f.admin.Config().ConnConfig.Database+" SET default_transaction_read_only = on")(t, f)
			}},
			batchertest.Transient, "25006",
		},
		"a statement takes too long": {
			setUp{batch: one, settings: []string{"statement_timeout", "50"}, fail: func(t testing.TB, f *failing) func() {
				return lock(t, f.admin, "LOCK TABLE t")
			}},
			batchertest.Transient, "57014",
		},
		"a lock is held too long": {
			setUp{batch: one, settings: []string{"lock_timeout", "50"}, fail: func(t testing.TB, f *failing) func() {
				return lock(t, f.admin, "LOCK TABLE t")
			}},
			batchertest.Transient, "55P03",
		},
		"an administrator cancels the statement": {
			setUp{batch: one, fail: whileWaiting("LOCK TABLE t", stop("pg_cancel_backend"))}, batchertest.Transient, "57014",
		},
		"an administrator ends the session": {
			setUp{batch: one, fail: whileWaiting("LOCK TABLE t", stop("pg_terminate_backend"))}, batchertest.Transient, "57P01",
		},
		"another transaction was first": {
			setUp{
				batch: one, opts: []pgsink.Option{update}, settings: []string{"default_transaction_isolation", "repeatable read"},
				statements: []string{"INSERT INTO t VALUES (1, 1, '')"},
				fail:       whileWaiting("UPDATE t SET n = 2", func(testing.TB, *failing) {}),
			},
			batchertest.Transient, "40001",
		},
	}
	var table []batchertest.Failure
	for name, c := range failures {
		table = append(table, batchertest.Failure{Name: name, Want: c.want, Provoke: func(t testing.TB) error {
			err := c.setUp.provoke(t)
			if c.code != "" {
				assert.Equal(t, c.code, sqlState(err), "%v", err)
			}
			return err
		}})
	}
	batchertest.TestSink(t, batchertest.SinkTest[*event]{
		Open: func(t testing.TB) batchertest.Target[*event] { return openEvents(t, nil) },
		Item: func(i int) *event { e := newEvent(i); return &e },
		Key:  func(e *event) string { return fmt.Sprintf("%x", e.ID) },
		Huge: 10, Failures: table,
	})
}

// incompressible returns n random letters.
func incompressible(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('!' + rand.IntN(90))
	}
	return string(text)
}
