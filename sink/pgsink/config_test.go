package pgsink_test

// What New refuses, and what it does not.

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

type pair struct{ a, b int64 }

func a(p *pair) int64        { return p.a }
func b(p *pair) int64        { return p.b }
func text(*pair) string      { return "" }
func moment(*pair) time.Time { return time.Time{} }

func intsOf(names ...string) (columns []pgsink.Column[pair]) {
	for _, name := range names {
		columns = append(columns, pgsink.Int(name, a))
	}
	return columns
}

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	pool := newTable(t,
		"CREATE SCHEMA other",
		"CREATE DOMAIN required AS integer NOT NULL",
		"CREATE DOMAIN defaulted AS integer NOT NULL DEFAULT 1",
		`CREATE TABLE t (id bigint PRIMARY KEY, "B" integer NOT NULL, at timestamptz, twice bigint GENERATED ALWAYS AS (id * 2) STORED,
			must text NOT NULL, has text NOT NULL DEFAULT '', s serial, i int GENERATED ALWAYS AS IDENTITY, r required, d defaulted)`,
		"CREATE UNIQUE INDEX ON t (at) WHERE at IS NOT NULL",
		"CREATE UNIQUE INDEX ON t (lower(must))",
		"ALTER TABLE t ADD UNIQUE (has) DEFERRABLE",
		"CREATE VIEW v AS SELECT * FROM t",
		"CREATE SEQUENCE q",
	)
	full := func(more ...pgsink.Column[pair]) []pgsink.Column[pair] {
		return append([]pgsink.Column[pair]{pgsink.Int("id", a), pgsink.Int("B", b), pgsink.Text("must", text), pgsink.Int("r", a)}, more...)
	}
	table := pgx.Identifier{"t"}
	for name, c := range map[string]struct {
		table   pgx.Identifier
		columns []pgsink.Column[pair]
		opts    []pgsink.Option
		want    []string
	}{
		"no such table": {pgx.Identifier{"T"}, full(), nil, []string{`table "T" does not exist`}},
		"no such schema": {
			pgx.Identifier{"nowhere", "t"}, full(), nil, []string{`table "nowhere"."t" does not exist`},
		},
		"another schema": {pgx.Identifier{"other", "t"}, full(), nil, []string{`table "other"."t" does not exist`}},
		"no table":       {nil, full(), nil, []string{`must be a table, or a schema and a table`}},
		"three parts":    {pgx.Identifier{"a", "b", "c"}, full(), nil, []string{`must be a table, or a schema and a table`}},
		"empty part":     {pgx.Identifier{""}, full(), nil, []string{`"" must have 1 to 63 bytes`}},
		"a view":         {pgx.Identifier{"v"}, full(), nil, []string{`"public"."v" is a view, which COPY cannot write to`}},
		"a sequence":     {pgx.Identifier{"q"}, intsOf("last_value"), nil, []string{`"public"."q" is a sequence`}},
		"no columns":     {table, nil, []pgsink.Option{nil}, []string{"no columns", "option 1 of 1 is nil"}},
		"not made":       {table, []pgsink.Column[pair]{{}}, nil, []string{"column 1 of 1 was not made by a function of pgsink"}},
		"names and functions": {
			table,
			append(intsOf("id", "id", ""), pgsink.Int[pair]("x", nil), pgsink.JSON[pair]("y", nil), pgsink.Raw[pair]("z", "", nil),
				pgsink.JSONValue[pair]("w", nil), pgsink.Text("u", text).NullIf(nil)),
			nil,
			[]string{
				`column "id" is given twice`, "column 3 of 8 has no name", `column "x": Int: the function is nil`,
				`column "y": JSON: the function is nil`, `column "z": Raw: the function is nil`, `column "z": Raw: no type name`,
				`column "w": JSONValue: the function is nil`, `column "u": NullIf: the function is nil`,
			},
		},
		"columns": {
			table,
			[]pgsink.Column[pair]{
				pgsink.Int("ID", a), pgsink.Int("at", a), pgsink.Int("twice", a), pgsink.Text("B", text), pgsink.Raw[pair]("s", "inet",
					func(dst []byte, _ *pair) ([]byte, error) { return dst, nil }), pgsink.Timestamp("id", moment),
			},
			nil,
			[]string{
				`column "ID": table "public"."t" has no such column`,
				`column "at": Int can be written to smallint, integer or bigint, but the column has type timestamp with time zone`,
				`column "twice" is generated, so it cannot be written`,
				`column "B": Text can be written to text, varchar, char, name, citext or an enum, but the column has type integer`,
				`column "s": Raw("inet") can be written to inet, but the column has type integer`,
				`column "id": Timestamp can be written to timestamp without time zone, but the column has type bigint`,
				`column "must" of table "public"."t" is NOT NULL and has no default, but is not in the list`,
				`column "r" of table "public"."t" is NOT NULL and has no default, but is not in the list`,
			},
		},
		"options": {
			table, full(), []pgsink.Option{pgsink.WithInsertBelow(-1), pgsink.WithIsolation(-2),
				pgsink.OnConflictDoNothing(), pgsink.OnConflictUpdate([]string{"id", "id"}, "B", "B", "id")},
			[]string{
				"WithInsertBelow(-1): must not be negative", "WithIsolation(-2): must not be negative",
				"OnConflictDoNothing and OnConflictUpdate: a row has one fate",
				`OnConflictUpdate: target column "id" is given twice`, `OnConflictUpdate: column "B" is to be updated twice`,
				`OnConflictUpdate: column "id" is a target column and stays as it is`,
			},
		},
		"no target": {table, full(), []pgsink.Option{pgsink.OnConflictUpdate(nil)}, []string{"OnConflictUpdate: no target columns"}},
		"targets": {
			table, full(pgsink.Timestamptz("at", moment), pgsink.Int("i", a)),
			[]pgsink.Option{pgsink.OnConflictUpdate([]string{"at", "has"}, "i", "s")},
			[]string{
				`OnConflictUpdate: "has" is not a column of the sink`, `OnConflictUpdate: "s" is not a column of the sink`,
				`has no unique index or constraint on exactly the columns ["at" "has"]`,
				`OnConflictUpdate: column "i" is GENERATED ALWAYS, so it cannot be updated`,
			},
		},
		"partial index": {
			table, full(pgsink.Timestamptz("at", moment)), []pgsink.Option{pgsink.OnConflictDoNothing("at")},
			[]string{`OnConflictDoNothing: table "public"."t" has no unique index or constraint on exactly the columns ["at"]`},
		},
		"deferrable": {
			table, full(pgsink.Text("has", text)), []pgsink.Option{pgsink.OnConflictDoNothing("has")},
			[]string{`no unique index or constraint on exactly the columns ["has"]`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			sink, err := pgsink.New(within(t, soon), pool, c.table, c.columns, c.opts...)
			assert.Nil(t, sink)
			require.ErrorIs(t, err, batcher.ErrConfig)
			assert.ErrorContains(t, err, "pgsink: ")
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	_, err := pgsink.New(within(t, soon), pool, table, full(), pgsink.OnConflictUpdate([]string{"id"}))
	assert.NoError(t, err)
}

func TestNothingToUpdateIsReported(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (a int PRIMARY KEY)")
	_, err := pgsink.New(within(t, soon), pool, pgx.Identifier{"t"}, intsOf("a"), pgsink.OnConflictUpdate([]string{"a"}))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, "there is no column to update: use OnConflictDoNothing")
}

func TestNamesAreQuotedAndSchemasObeyed(t *testing.T) {
	pool := newTable(t, `CREATE SCHEMA "Sch"".ema"`,
		`CREATE TABLE "Sch"".ema"."Ta""b, le" ("Co""l, umn" int PRIMARY KEY, "line 7, column x" int, "select" int)`)
	columns := intsOf(`Co"l, umn`, "line 7, column x", "select")
	for _, opts := range [][]pgsink.Option{
		{pgsink.WithInsertBelow(0)}, {pgsink.WithInsertBelow(5)},
		{pgsink.OnConflictUpdate([]string{`Co"l, umn`}), pgsink.WithInsertBelow(0)},
		{pgsink.OnConflictUpdate([]string{`Co"l, umn`}), pgsink.WithInsertBelow(5)},
	} {
		sink, err := pgsink.New(within(t, soon), pool, pgx.Identifier{`Sch".ema`, `Ta"b, le`}, columns, opts...)
		require.NoError(t, err)
		run(t, pool, `TRUNCATE "Sch"".ema"."Ta""b, le"`)
		require.NoError(t, sink.Write(within(t, soon), []pair{{1, 1}, {2, 2}}))
		assert.Equal(t, int64(2), value[int64](t, pool, `SELECT count(*) FROM "Sch"".ema"."Ta""b, le"`))
	}
}

func TestTheTableIsTheOneThatNewHasFound(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (a int)", "CREATE SCHEMA first")
	sink := newSink(t, pool, "t", intsOf("a"))
	run(t, pool, "CREATE TABLE first.t (a int)")
	run(t, pool, "ALTER DATABASE "+pool.Config().ConnConfig.Database+" SET search_path = first, public")
	pool.Reset()
	require.NoError(t, sink.Write(within(t, soon), []pair{{1, 1}}))
	assert.Equal(t, int64(1), value[int64](t, pool, "SELECT count(*) FROM public.t"))
}

func TestATriggerMayFillInWhatIsMissing(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (a int, b int NOT NULL)",
		"CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b := 7; RETURN NEW; END'",
		"CREATE TRIGGER fill BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fill()")
	require.NoError(t, newSink(t, pool, "t", intsOf("a")).Write(within(t, soon), []pair{{1, 1}}))
	assert.Equal(t, int64(7), value[int64](t, pool, "SELECT b FROM t"))
}

func TestPartitionedTablesAndIdentityColumnsAreWritten(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, b int, PRIMARY KEY (a, b)) PARTITION BY LIST (b)",
		"CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)", "CREATE TABLE t2 PARTITION OF t DEFAULT")
	columns := []pgsink.Column[pair]{pgsink.Int("a", a), pgsink.Int("b", b)}
	for _, opts := range [][]pgsink.Option{
		{pgsink.WithInsertBelow(0)}, {pgsink.WithInsertBelow(5)},
		{pgsink.OnConflictDoNothing("b", "a"), pgsink.WithInsertBelow(0)}, {pgsink.OnConflictDoNothing(), pgsink.WithInsertBelow(5)},
	} {
		run(t, pool, "TRUNCATE t")
		require.NoError(t, newSink(t, pool, "t", columns, opts...).Write(within(t, soon), []pair{{100, 1}, {101, 2}}))
		assert.Equal(t, []int64{100}, values[int64](t, pool, "SELECT a FROM t1"))
		assert.Equal(t, []int64{101}, values[int64](t, pool, "SELECT a FROM t2"))
	}
}

func TestMissingPrivilegesAreReported(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (a int PRIMARY KEY, b int)", "CREATE SCHEMA hidden", "CREATE TABLE hidden.t (a int)",
		"CREATE TABLE guarded (a int)", "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
		"DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk LOGIN PASSWORD 'inkpot'",
		"GRANT INSERT (a) ON t TO clerk", "GRANT INSERT ON guarded TO clerk")
	t.Cleanup(func() { _, _ = pool.Exec(context.Background(), "DROP OWNED BY clerk; DROP ROLE clerk") })
	run(t, pool, "REVOKE TEMP ON DATABASE "+pool.Config().ConnConfig.Database+" FROM PUBLIC")
	config := pool.Config()
	config.ConnConfig.User, config.ConnConfig.Password = "clerk", "inkpot"
	clerk, err := pgxpool.NewWithConfig(within(t, soon), config)
	require.NoError(t, err)
	defer clerk.Close()

	columns := []pgsink.Column[pair]{pgsink.Int("a", a), pgsink.Int("b", b)}
	_, err = pgsink.New(within(t, soon), clerk, pgx.Identifier{"t"}, columns, pgsink.OnConflictUpdate([]string{"a"}))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, `column "b": the user has no privilege to INSERT`)
	assert.NotContains(t, err.Error(), `column "a": the user has no privilege to INSERT`)
	assert.ErrorContains(t, err, `OnConflictUpdate: column "b": the user has no privilege to UPDATE`)
	assert.ErrorContains(t, err, "no privilege to make temporary tables")
	assert.ErrorContains(t, err, `OnConflictUpdate: column "a": the user has no privilege to SELECT`)
	assert.ErrorContains(t, err, `OnConflictUpdate: column "b": the user has no privilege to SELECT`)
	run(t, pool, "GRANT INSERT, UPDATE (b), SELECT (a, b) ON t TO clerk")
	run(t, pool, "GRANT TEMP ON DATABASE "+pool.Config().ConnConfig.Database+" TO clerk")
	for _, below := range []int{0, 9} { // and no other privilege is needed
		sink := newSink(t, clerk, "t", columns, pgsink.OnConflictUpdate([]string{"a"}), pgsink.WithInsertBelow(below))
		require.NoError(t, sink.Write(within(t, soon), []pair{{1, 2}, {1, 3}}))
	}
	_, err = pgsink.New(within(t, soon), clerk, pgx.Identifier{"hidden", "t"}, intsOf("a"))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, "permission denied for schema hidden")
	_, err = pgsink.New(within(t, soon), clerk, pgx.Identifier{"guarded"}, intsOf("a"))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, `row-level security applies to table "public"."guarded"`)
}

func TestDeferrableConstraintsNeedTargetColumns(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE DEFERRABLE)")
	columns := []pgsink.Column[pair]{pgsink.Int("a", a), pgsink.Int("b", b)}
	_, err := pgsink.New(within(t, soon), pool, pgx.Identifier{"t"}, columns, pgsink.OnConflictDoNothing())
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, "deferrable constraint, with which target columns must be given")
	sink := newSink(t, pool, "t", columns, pgsink.OnConflictDoNothing("a"))
	require.NoError(t, sink.Write(within(t, soon), []pair{{1, 2}, {1, 3}}))
}

func TestRulesThatOnlySomeBatchesWouldMeetAreRefused(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (a int PRIMARY KEY)", "CREATE TABLE other (a int)",
		"CREATE RULE away AS ON INSERT TO t DO INSTEAD INSERT INTO other VALUES (NEW.a)")
	for _, opt := range []pgsink.Option{pgsink.WithInsertBelow(2), pgsink.OnConflictDoNothing()} {
		_, err := pgsink.New(within(t, soon), pool, pgx.Identifier{"t"}, intsOf("a"), opt)
		require.ErrorIs(t, err, batcher.ErrConfig)
		assert.ErrorContains(t, err, `table "public"."t" has rules for INSERT or UPDATE`)
	}
	sink := newSink(t, pool, "t", intsOf("a"), pgsink.WithInsertBelow(0))
	require.NoError(t, sink.Write(within(t, soon), []pair{{a: 1}, {a: 2}}))
	assert.Equal(t, []int64{1, 2}, values[int64](t, pool, "SELECT a FROM t ORDER BY a"))
	run(t, pool, "ALTER TABLE t DISABLE RULE away")
	newSink(t, pool, "t", intsOf("a"))
}

func TestTemporaryTablesAndOtherEncodingsAreRefused(t *testing.T) {
	server := pgtest.Shared(t)
	pool := pgtest.Pool(t, server.NewDatabase(t)+"&pool_max_conns=1&client_encoding=LATIN1")
	run(t, pool, "CREATE TEMP TABLE t (a int)")
	_, err := pgsink.New(within(t, soon), pool, pgx.Identifier{"t"}, intsOf("a"))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, "is temporary: only the connection that made it can write to it")
	assert.ErrorContains(t, err, `client_encoding is "LATIN1", but must be UTF8`)
}

func TestF50_AFailedConnectionIsNoConfigurationError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dsn := "postgres://user:secret@" + l.Addr().String() + "/db?sslmode=disable"
	require.NoError(t, l.Close())
	pool := pgtest.Pool(t, dsn)
	_, err = pgsink.New(within(t, soon), pool, pgx.Identifier{"t"}, intsOf("a"))
	require.Error(t, err)
	assert.NotErrorIs(t, err, batcher.ErrConfig)
	assert.False(t, batcher.IsPermanent(err))
	assert.NotContains(t, err.Error(), "secret")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBadDetails)
	_, err = pgsink.New(ctx, pool, pgx.Identifier{"t"}, intsOf("a"))
	assert.ErrorIs(t, err, errBadDetails)
	assert.NotErrorIs(t, err, batcher.ErrConfig)
}

func TestMisuseIsNamed(t *testing.T) {
	_, err := pgsink.New(t.Context(), nil, pgx.Identifier{"t"}, intsOf("a"))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, "the pool is nil")
	var none context.Context
	assert.PanicsWithValue(t, "pgsink: New: nil context", func() {
		_, _ = pgsink.New(none, nil, pgx.Identifier{"t"}, intsOf("a"))
	})
	assert.PanicsWithValue(t, "pgsink: Write: nil context", func() {
		_ = new(pgsink.Sink[pair]).Write(none, nil)
	})
}

func TestCheckPoolAsksForAConnectionForEach(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), "postgres://u@127.0.0.1:1/db?pool_max_conns=6")
	require.NoError(t, err)
	defer pool.Close()
	assert.NoError(t, pgsink.CheckPool(pool, 4, 2))
	assert.NoError(t, pgsink.CheckPool(pool, 6, 0))
	err = pgsink.CheckPool(pool, 4, 3)
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.ErrorContains(t, err, "MaxConns 6, but 4 workers and 3 others need 7")
	err = pgsink.CheckPool(nil, 0, -1)
	require.ErrorIs(t, err, batcher.ErrConfig)
	for _, want := range []string{"the pool is nil", "0 workers: must be at least 1", "-1 others: must not be negative"} {
		assert.ErrorContains(t, err, want)
	}
}
