package pgsink_test

// Idempotent writes.

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

func pairColumns() []pgsink.Column[pair] {
	return []pgsink.Column[pair]{
		pgsink.Int("a", a).NullIf(func(p *pair) bool { return p.a < 0 }),
		pgsink.Int("b", b),
	}
}

func pairs(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return values[string](t, pool, "SELECT concat(coalesce(a, -1), '=', b) FROM t ORDER BY a, b")
}

// eachForm runs a test with the staging table and with INSERT.
func eachForm(t *testing.T, test func(t *testing.T, form pgsink.Option)) {
	t.Helper()
	t.Run("staging", func(t *testing.T) { test(t, pgsink.WithInsertBelow(0)) })
	t.Run("insert", func(t *testing.T) { test(t, pgsink.WithInsertBelow(math.MaxInt)) })
}

const keyed = "CREATE TABLE t (a int UNIQUE, b int)"

func TestF48_ABatchThatIsWrittenTwiceIsStoredOnce(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		for _, opt := range []pgsink.Option{
			pgsink.OnConflictDoNothing("id"), pgsink.OnConflictDoNothing(), pgsink.OnConflictUpdate([]string{"id"}),
		} {
			sink, pool := newEventSink(t, opt, form)
			for range 3 {
				require.NoError(t, sink.Write(within(t, soon), newEvents(50)))
			}
			assert.Equal(t, int64(50), value[int64](t, pool, "SELECT count(*) FROM events"))
		}
	})
}

func TestDoNothingKeepsTheFirst(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t, keyed, "INSERT INTO t VALUES (1, 0)")
		for _, sink := range []*pgsink.Sink[pair]{
			newSink(t, pool, "t", pairColumns(), pgsink.OnConflictDoNothing("a"), form),
			newSink(t, pool, "t", pairColumns(), pgsink.OnConflictDoNothing(), form),
		} {
			require.NoError(t, sink.Write(within(t, soon), []pair{{3, 7}, {1, 5}, {2, 5}, {2, 6}, {3, 8}}))
			assert.Equal(t, []string{"1=0", "2=5", "3=7"}, pairs(t, pool))
		}
	})
}

func TestUpdateKeepsTheLastAlsoWithinABatch(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t, keyed, "INSERT INTO t VALUES (1, 0)")
		sink := newSink(t, pool, "t", pairColumns(), pgsink.OnConflictUpdate([]string{"a"}), form)
		require.NoError(t, sink.Write(within(t, soon), []pair{{2, 9}, {1, 5}, {2, 5}, {1, 6}, {2, 4}}))
		assert.Equal(t, []string{"1=6", "2=4"}, pairs(t, pool))
	})
}

func TestUpdateChangesOnlyTheColumnsThatItIsTold(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t, `CREATE TABLE t (a int PRIMARY KEY, b int, "C" int, d int DEFAULT 4)`, "INSERT INTO t VALUES (1, 1, 1, 1)")
		columns := append(pairColumns(), pgsink.Int("C", b))
		sink := newSink(t, pool, "t", columns, pgsink.OnConflictUpdate([]string{"a"}, "C"), form)
		require.NoError(t, sink.Write(within(t, soon), []pair{{1, 5}, {2, 6}}))
		assert.Equal(t, []string{"1 1 5 1", "2 6 6 4"}, values[string](t, pool, `SELECT concat_ws(' ', a, b, "C", d) FROM t ORDER BY a`))
	})
}

func TestKeysThatAreNullAreAllDifferent(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t, keyed)
		sink := newSink(t, pool, "t", pairColumns(), pgsink.OnConflictUpdate([]string{"a"}), form)
		require.NoError(t, sink.Write(within(t, soon), []pair{{-1, 1}, {-1, 2}, {1, 3}, {1, 4}, {-1, 1}}))
		assert.Equal(t, []string{"1=4", "-1=1", "-1=1", "-1=2"}, pairs(t, pool))
	})
}

func TestKeysThatAreNullMayBeEqual(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t)
		if value[string](t, pool, "SHOW server_version_num") < "150000" {
			t.Skip("NULLS NOT DISTINCT is new in PostgreSQL 15")
		}
		run(t, pool, "CREATE TABLE t (a int, b int, UNIQUE NULLS NOT DISTINCT (a))")
		sink := newSink(t, pool, "t", pairColumns(), pgsink.OnConflictUpdate([]string{"a"}), form)
		require.NoError(t, sink.Write(within(t, soon), []pair{{-1, 1}, {-1, 2}, {1, 3}}))
		assert.Equal(t, []string{"1=3", "-1=2"}, pairs(t, pool))
	})
}

func TestKeysOfSeveralColumnsAndCaseInsensitiveOnes(t *testing.T) {
	type item struct {
		tenant, name string
		n            int64
	}
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t, "CREATE TABLE t (tenant char(4), name text COLLATE \"C\", n int, PRIMARY KEY (name, tenant))")
		sink := newSink(t, pool, "t", []pgsink.Column[item]{
			pgsink.Text("tenant", func(i *item) string { return i.tenant }),
			pgsink.Text("name", func(i *item) string { return i.name }),
			pgsink.Int("n", func(i *item) int64 { return i.n }),
		}, pgsink.OnConflictUpdate([]string{"tenant", "name"}), form)
		// Trailing blanks do not count in char(n): the server knows what is equal.
		require.NoError(t, sink.Write(within(t, soon), []item{{"x", "a", 1}, {"x ", "a", 2}, {"y", "a", 3}, {"x", "A", 4}}))
		assert.Equal(t, []int64{2, 3, 4}, values[int64](t, pool, "SELECT n FROM t ORDER BY n"))
	})
}

// oneConnection returns a pool with one connection.
func oneConnection(t *testing.T, statements ...string) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t, pgtest.Shared(t).NewDatabase(t)+"&pool_max_conns=1")
	for _, statement := range statements {
		run(t, pool, statement)
	}
	return pool
}

// stamped is a key of each kind that the table changes, or compares otherwise than by its bytes.
type stamped struct {
	at   time.Time
	text string
	n    int64
}

func TestKeysThatTheTableTakesAsEqualAreOneKey(t *testing.T) {
	icu := value[bool](t, newTable(t), "SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')")
	at := pgsink.Timestamptz("k", func(s *stamped) time.Time { return s.at })
	text := pgsink.Text("k", func(s *stamped) string { return s.text })
	const folds = "CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
	for name, c := range map[string]struct {
		table  []string
		column pgsink.Column[stamped]
		batch  []stamped
	}{
		"rounded": {[]string{"CREATE TABLE t (k timestamptz(0) PRIMARY KEY, n int)"}, at,
			[]stamped{{at: time.Unix(100, 1e8), n: 1}, {at: time.Unix(100, 2e8), n: 2}}},
		"rounded by a domain": {[]string{"CREATE DOMAIN second AS timestamptz(0)", "CREATE TABLE t (k second PRIMARY KEY, n int)"},
			at, []stamped{{at: time.Unix(100, 1e8), n: 1}, {at: time.Unix(100, 2e8), n: 2}}},
		"cut off": {[]string{"CREATE TABLE t (k varchar(3) PRIMARY KEY, n int)"}, text,
			[]stamped{{text: "abc ", n: 1}, {text: "abc", n: 3}, {text: "abc  ", n: 2}}},
		"of a column's collation": {[]string{folds, "CREATE TABLE t (k text COLLATE folds PRIMARY KEY, n int)"}, text,
			[]stamped{{text: "A", n: 1}, {text: "a", n: 2}}},
		"of an index's collation": {[]string{folds, "CREATE TABLE t (k text, n int)", "CREATE UNIQUE INDEX ON t (k COLLATE folds)"}, text,
			[]stamped{{text: "A", n: 1}, {text: "a", n: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			if !icu && len(c.table) > 1 && c.table[0] == folds {
				t.Skip("the server knows no ICU collations")
			}
			eachForm(t, func(t *testing.T, form pgsink.Option) {
				pool := newTable(t, c.table...)
				columns := []pgsink.Column[stamped]{c.column, pgsink.Int("n", func(s *stamped) int64 { return s.n })}
				sink := newSink(t, pool, "t", columns, pgsink.OnConflictUpdate([]string{"k"}), form)
				require.NoError(t, sink.Write(within(t, soon), c.batch))
				last := c.batch[len(c.batch)-1].n
				assert.Equal(t, []int64{last}, values[int64](t, pool, "SELECT n FROM t"))
			})
		})
	}
}

func TestATypeThatIsMadeAnewGetsAStagingTableOfItsOwn(t *testing.T) {
	pool := pgtest.Pool(t, pgtest.Shared(t).NewDatabase(t)+"&pool_max_conns=1")
	columns := []pgsink.Column[stamped]{
		pgsink.Text("k", func(s *stamped) string { return s.text }), pgsink.Int("n", func(s *stamped) int64 { return s.n }),
	}
	for range 2 {
		run(t, pool, "CREATE TYPE mood AS ENUM ('sad', 'glad')")
		run(t, pool, "CREATE TABLE t (k mood PRIMARY KEY, n int)")
		sink := newSink(t, pool, "t", columns, pgsink.OnConflictDoNothing("k"), pgsink.WithInsertBelow(0))
		require.NoError(t, sink.Write(within(t, soon), []stamped{{text: "sad"}, {text: "glad"}}))
		run(t, pool, "DROP TABLE t")
		run(t, pool, "DROP TYPE mood CASCADE") // takes the staging table's column with it
	}
}

func TestTheStagingTableIsMadeAgainWhenItIsGone(t *testing.T) {
	pool := oneConnection(t, keyed)
	sink := newSink(t, pool, "t", pairColumns(), pgsink.OnConflictDoNothing("a"), pgsink.WithInsertBelow(0))
	require.NoError(t, sink.Write(within(t, soon), []pair{{1, 1}}))
	run(t, pool, "DISCARD ALL")
	require.NoError(t, sink.Write(within(t, soon), []pair{{2, 2}}))
	run(t, pool, "DISCARD TEMP")
	require.NoError(t, sink.Write(within(t, soon), []pair{{3, 3}}))
	assert.Equal(t, []string{"1=1", "2=2", "3=3"}, pairs(t, pool))
	assert.Equal(t, int64(1), value[int64](t, pool, "SELECT count(*) FROM pg_class WHERE relname LIKE 'pgsink_%'"))
}

func TestTheStagingTableIsMadeOnceForAConnection(t *testing.T) {
	pool := oneConnection(t, keyed)
	sink := newSink(t, pool, "t", pairColumns(), pgsink.OnConflictDoNothing("a"), pgsink.WithInsertBelow(0))
	const oid = "SELECT oid::bigint FROM pg_class WHERE relname LIKE 'pgsink_%'"
	require.NoError(t, sink.Write(within(t, soon), []pair{{1, 1}}))
	made := value[int64](t, pool, oid)
	for range 3 {
		require.NoError(t, sink.Write(within(t, soon), []pair{{1, 1}}))
	}
	assert.Equal(t, made, value[int64](t, pool, oid))
}

func TestNothingStaysInTheStagingTable(t *testing.T) {
	pool := oneConnection(t, "CREATE TABLE t (a int UNIQUE, b int CHECK (b > 0))")
	sink := newSink(t, pool, "t", pairColumns(), pgsink.OnConflictDoNothing("a"), pgsink.WithInsertBelow(0))
	require.NoError(t, sink.Write(within(t, soon), []pair{{1, 1}}))
	name := value[string](t, pool, "SELECT relname::text FROM pg_class WHERE relname LIKE 'pgsink_%'")
	require.Error(t, sink.Write(within(t, soon), []pair{{2, 2}, {3, -3}}))
	assert.Equal(t, int64(0), value[int64](t, pool, "SELECT count(*) FROM pg_temp."+name))
	assert.Equal(t, []string{"1=1"}, pairs(t, pool), "all or nothing")
}

func TestTwoSinksOfDifferentColumnsShareAConnection(t *testing.T) {
	pool := oneConnection(t, "CREATE TABLE t (a int UNIQUE, b int, c int)")
	one := newSink(t, pool, "t", pairColumns(), pgsink.OnConflictDoNothing("a"), pgsink.WithInsertBelow(0))
	other := newSink(t, pool, "t", append(pairColumns(), pgsink.Int("c", b)), pgsink.OnConflictDoNothing("a"), pgsink.WithInsertBelow(0))
	require.NoError(t, one.Write(within(t, soon), []pair{{1, 1}}))
	require.NoError(t, other.Write(within(t, soon), []pair{{2, 2}}))
	require.NoError(t, one.Write(within(t, soon), []pair{{3, 3}}))
	assert.Equal(t, []string{"1=1", "2=2", "3=3"}, pairs(t, pool))
}

func TestBatchesThatOverlapDoNotDeadlock(t *testing.T) {
	for name, opt := range map[string]pgsink.Option{
		"nothing": pgsink.OnConflictDoNothing("a"), "update": pgsink.OnConflictUpdate([]string{"a"}),
	} {
		t.Run(name, func(t *testing.T) {
			pool := newTable(t, keyed)
			sink := newSink(t, pool, "t", pairColumns(), opt)
			var writers sync.WaitGroup
			for w := range 4 {
				writers.Go(func() {
					for round := range 20 {
						batch := make([]pair, 15*(1+round%2)) // by INSERT and by COPY
						for i := range batch {
							batch[i].a = int64(i)
							if w%2 == 1 {
								batch[i].a = int64(len(batch) - 1 - i)
							}
							batch[i].b = int64(w)
						}
						assert.NoError(t, sink.Write(t.Context(), batch))
					}
				})
			}
			writers.Wait()
			assert.Len(t, pairs(t, pool), 30)
		})
	}
}

func TestRowLevelSecurityDoesNotHinderIdempotentWrites(t *testing.T) {
	pool := newTable(t, keyed, "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ALTER TABLE t FORCE ROW LEVEL SECURITY",
		"CREATE POLICY positive ON t FOR INSERT WITH CHECK (b > 0)", "CREATE POLICY readable ON t FOR SELECT USING (true)",
		"DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN PASSWORD 'door'", "GRANT ALL ON t TO guest")
	t.Cleanup(func() { _, _ = pool.Exec(context.Background(), "DROP OWNED BY guest; DROP ROLE guest") })
	config := pool.Config()
	config.ConnConfig.User, config.ConnConfig.Password = "guest", "door"
	guest, err := pgxpool.NewWithConfig(within(t, soon), config)
	require.NoError(t, err)
	defer guest.Close()
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		run(t, pool, "TRUNCATE t")
		sink := newSink(t, guest, "t", pairColumns(), pgsink.OnConflictDoNothing("a"), form)
		require.NoError(t, sink.Write(within(t, soon), []pair{{1, 1}}))
		err := sink.Write(within(t, soon), []pair{{2, 2}, {3, -3}})
		assert.True(t, batcher.IsPermanent(err), "%v", err)
		assert.Equal(t, []string{"1=1"}, pairs(t, pool))
	})
}

func TestBatchesOfMoreParametersThanTheProtocolCountsAreCopied(t *testing.T) {
	for _, opts := range [][]pgsink.Option{nil, {pgsink.OnConflictDoNothing("a")}} {
		pool := newTable(t, keyed)
		sink := newSink(t, pool, "t", pairColumns(), append(opts, pgsink.WithInsertBelow(math.MaxInt))...)
		for _, n := range []int{32767, 32768} { // of two columns
			batch := make([]pair, n)
			for i := range batch {
				batch[i].a = int64(i)
			}
			run(t, pool, "TRUNCATE t")
			require.NoError(t, sink.Write(within(t, soon), batch))
			assert.Equal(t, fmt.Sprint(n), value[string](t, pool, "SELECT count(*)::text FROM t"))
		}
	}
}
