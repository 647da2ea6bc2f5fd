package pgsink_test

// What the server refuses, and what an error says.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// record is an item whose parts the tests choose.
type record struct {
	id, n int64
	s     string
}

func recordColumns() []pgsink.Column[record] {
	return []pgsink.Column[record]{
		pgsink.Int("id", func(r *record) int64 { return r.id }),
		pgsink.Int("n", func(r *record) int64 { return r.n }).NullIf(func(r *record) bool { return r.n == -1 }),
		pgsink.Text("s", func(r *record) string { return r.s }),
	}
}

const recordTable = `CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CONSTRAINT small CHECK (n < 100), s text)`

// unencodable cannot be encoded.
const unencodable = "\x00"

func noIsolation() pgsink.Option { return pgsink.WithIsolation(0) }

// refusal is a row that the server refuses by number.
var refusals = map[string]struct {
	row                record
	code               string
	column, constraint string
}{
	"unique":   {record{1, 1, ""}, "23505", "", "t_pkey"},
	"check":    {record{7, 100, ""}, "23514", "", "small"},
	"not null": {record{7, -1, ""}, "23502", "n", ""},
	"trigger":  {record{7, 7, "no"}, "P0001", "", ""},
}

func refusingTable(t *testing.T) *pgxpool.Pool {
	t.Helper()
	return newTable(t, recordTable, "INSERT INTO t VALUES (1, 1, 'old')",
		`CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN IF NEW.s = 'no' THEN RAISE 'no, says "t", line 1, column id'; END IF; RETURN NEW; END $$`,
		"CREATE TRIGGER judge BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION judge()")
}

func TestARefusedRowIsNamedAndNothingIsWritten(t *testing.T) {
	pool := refusingTable(t)
	sink := newSink(t, pool, "t", recordColumns(), noIsolation(), pgsink.WithInsertBelow(0))
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			err := sink.Write(within(t, soon), []record{{id: 2}, {id: 3, s: unencodable}, {id: 4, s: unencodable}, {id: 5}, c.row, {id: 6}})
			var row *pgsink.RowError
			require.ErrorAs(t, err, &row)
			assert.Equal(t, 4, row.Row, "counted in the batch, of which two were left out")
			assert.Equal(t, c.column, row.Column)
			assert.Equal(t, c.constraint, row.Constraint)
			assert.True(t, batcher.IsPermanent(err))
			var server *pgconn.PgError
			require.ErrorAs(t, err, &server)
			assert.Equal(t, c.code, server.Code)
			var partial *batcher.PartialError
			assert.False(t, errors.As(err, &partial), "the failure of the whole stands alone")
			assert.Contains(t, err.Error(), `pgsink: write to table "public"."t": pgsink: item 4 of the batch`)
			assert.Equal(t, int64(1), value[int64](t, pool, "SELECT count(*) FROM t"))
		})
	}
}

func TestIsolationWritesTheOthers(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := refusingTable(t)
		sink := newSink(t, pool, "t", recordColumns(), form)
		batch := []record{{id: 2}, {id: 3, s: unencodable}, refusals["unique"].row, {id: 4}, refusals["not null"].row,
			refusals["trigger"].row, refusals["check"].row, {id: 5}}
		var partial *batcher.PartialError
		require.ErrorAs(t, sink.Write(within(t, soon), batch), &partial)
		require.Len(t, partial.Errs, 5)
		for i, code := range map[int]string{2: "23505", 4: "23502", 5: "P0001", 6: "23514"} {
			var row *pgsink.RowError
			require.ErrorAs(t, partial.Errs[i], &row)
			assert.Equal(t, i, row.Row)
			assert.True(t, batcher.IsPermanent(partial.Errs[i]))
			var server *pgconn.PgError
			require.ErrorAs(t, partial.Errs[i], &server)
			assert.Equal(t, code, server.Code)
		}
		assert.Equal(t, []int64{1, 2, 4, 5}, values[int64](t, pool, "SELECT id FROM t ORDER BY id"))
	})
}

func TestIsolationHasABound(t *testing.T) {
	pool := refusingTable(t)
	bad := refusals["check"].row
	batch := []record{{id: 2}, bad, bad, bad}
	sink := newSink(t, pool, "t", recordColumns(), pgsink.WithIsolation(2), pgsink.WithInsertBelow(0))
	err := sink.Write(within(t, soon), batch)
	var row *pgsink.RowError
	require.ErrorAs(t, err, &row)
	assert.Equal(t, 3, row.Row)
	assert.True(t, batcher.IsPermanent(err))
	assert.Equal(t, int64(1), value[int64](t, pool, "SELECT count(*) FROM t"))

	var partial *batcher.PartialError
	require.ErrorAs(t, sink.Write(within(t, soon), batch[:3]), &partial)
	assert.Len(t, partial.Errs, 2)
	require.ErrorAs(t, sink.Write(within(t, soon), []record{bad, bad}), &partial)
	assert.Len(t, partial.Errs, 2, "all of the batch")
}

func TestTheBoundOfIsolationCountsRowsAlsoInSmallBatches(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := refusingTable(t)
		sink := newSink(t, pool, "t", recordColumns(), pgsink.WithIsolation(1), form)
		bad := refusals["check"].row
		var partial *batcher.PartialError
		require.ErrorAs(t, sink.Write(within(t, soon), []record{{id: 2}, bad, {id: 3}}), &partial)
		assert.Len(t, partial.Errs, 1)
		var row *pgsink.RowError
		err := sink.Write(within(t, soon), []record{{id: 4}, bad, bad})
		require.ErrorAs(t, err, &row)
		assert.Equal(t, 2, row.Row)
		assert.False(t, errors.As(err, &partial))
	})
}

func TestJSONThatIsNestedTooDeeplyFailsAlone(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t, "CREATE TABLE t (j jsonb)")
		sink := newSink(t, pool, "t", []pgsink.Column[string]{
			pgsink.JSON("j", func(_ []byte, text *string) ([]byte, error) { return []byte(*text), nil }),
		}, form)
		deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
		var partial *batcher.PartialError
		require.ErrorAs(t, sink.Write(within(t, soon), []string{"1", deep, "2"}), &partial)
		require.Len(t, partial.Errs, 1)
		assert.True(t, batcher.IsPermanent(partial.Errs[1]))
		assert.Equal(t, int64(2), value[int64](t, pool, "SELECT count(*) FROM t"))
	})
}

func TestTheDefaultIsolatesEight(t *testing.T) {
	pool := refusingTable(t)
	sink := newSink(t, pool, "t", recordColumns())
	batch := []record{{id: 2}}
	for range 8 {
		batch = append(batch, refusals["check"].row)
	}
	var partial *batcher.PartialError
	require.ErrorAs(t, sink.Write(within(t, soon), append(batch, record{id: 3})), &partial)
	assert.Len(t, partial.Errs, 8)
	batch = append(batch, refusals["check"].row)
	assert.NotErrorAs(t, sink.Write(within(t, soon), batch), &partial)
}

func TestWhereOnlyTheKeyIsSaidThereIsNoRow(t *testing.T) {
	pool := newTable(t, "CREATE TABLE parents (id int PRIMARY KEY)", "INSERT INTO parents VALUES (1)",
		"CREATE TABLE t (id int PRIMARY KEY, n int REFERENCES parents, s text)")
	for _, opts := range [][]pgsink.Option{
		{pgsink.WithInsertBelow(0)}, {pgsink.WithInsertBelow(9)}, {pgsink.OnConflictDoNothing("id"), pgsink.WithInsertBelow(0)},
	} {
		sink := newSink(t, pool, "t", recordColumns(), opts...)
		err := sink.Write(within(t, soon), []record{{id: 1, n: 1}, {id: 2, n: 2}})
		var row *pgsink.RowError
		assert.False(t, errors.As(err, &row))
		assert.True(t, batcher.IsPermanent(err))
		var server *pgconn.PgError
		require.ErrorAs(t, err, &server)
		assert.Equal(t, "Key (n)=(2) is not present in table \"parents\".", server.Detail)

		err = sink.Write(within(t, soon), []record{{id: 2, n: 2, s: unencodable}, {id: 3, n: 3}})
		var partial *batcher.PartialError
		require.ErrorAs(t, err, &partial, "of a single row that was sent, the number is known")
		require.ErrorAs(t, partial.Errs[1], &row)
		assert.Equal(t, 1, row.Row)
		assert.Equal(t, "t_n_fkey", row.Constraint)
	}
}

func TestBisectFindsWhatTheServerDoesNotName(t *testing.T) {
	pool := newTable(t, recordTable)
	sink := newSink(t, pool, "t", recordColumns(), pgsink.OnConflictDoNothing("id"), pgsink.WithInsertBelow(0))
	letters := batchertest.NewLetters[record]()
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(100), batcher.WithBisect(), batcher.WithDeadLetter(letters.Handle))
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, b.Add(t.Context(), record{id: int64(i), n: int64(i / 42 * 50)})) // from 84 on too large
	}
	require.NoError(t, b.Close(within(t, soon)))
	assert.Len(t, letters.Items(), 16)
	assert.Equal(t, int64(84), value[int64](t, pool, "SELECT count(*) FROM t"))
}

func TestBadBytesOfARawColumnNameTheirRow(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (n numeric, j jsonb)")
	raw := func(dst []byte, s *string) ([]byte, error) { return append(dst, *s...), nil }
	columns := []pgsink.Column[string]{pgsink.Raw("n", "numeric", raw), pgsink.JSON("j", func(dst []byte, s *string) ([]byte, error) {
		if strings.HasPrefix(*s, "{") {
			return append(dst, *s...), nil
		}
		return append(dst, "{}"...), nil
	})}
	const zero = "\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, opts := range [][]pgsink.Option{
		{pgsink.WithInsertBelow(0)}, {pgsink.WithInsertBelow(9)}, {pgsink.OnConflictDoNothing(), pgsink.WithInsertBelow(0)},
	} {
		run(t, pool, "TRUNCATE t")
		sink := newSink(t, pool, "t", columns, opts...)
		err := sink.Write(within(t, soon), []string{zero, "\x00", zero, zero + "more", "{broken"})
		var partial *batcher.PartialError
		require.ErrorAs(t, err, &partial)
		assert.Len(t, partial.Errs, 3)
		for _, i := range []int{1, 3, 4} {
			require.Error(t, partial.Errs[i])
			var row *pgsink.RowError
			require.ErrorAs(t, partial.Errs[i], &row)
			assert.Equal(t, "n", row.Column)
			assert.True(t, batcher.IsPermanent(partial.Errs[i]))
		}
		assert.Equal(t, int64(2), value[int64](t, pool, "SELECT count(*) FROM t"))
	}
	sink := newSink(t, pool, "t", columns[1:], noIsolation(), pgsink.WithInsertBelow(0))
	var row *pgsink.RowError
	require.ErrorAs(t, sink.Write(within(t, soon), []string{"", "{broken"}), &row)
	assert.Equal(t, 1, row.Row)
	assert.Equal(t, "j", row.Column)
}

// skipping skips odd numbers.
const skipping = `CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN IF NEW.id % 2 = 1 THEN RETURN NULL; END IF; RETURN NEW; END $$;
	CREATE TRIGGER skip BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip()`

func TestF49_RowsThatTheTableSkipsAreReported(t *testing.T) {
	eachForm(t, func(t *testing.T, form pgsink.Option) {
		pool := newTable(t, recordTable, skipping)
		batch := []record{{id: 1}, {id: 2}, {id: 3, s: unencodable}, {id: 4}}
		err := newSink(t, pool, "t", recordColumns(), form).Write(within(t, soon), batch)
		var count *pgsink.CountError
		require.ErrorAs(t, err, &count)
		assert.Equal(t, &pgsink.CountError{Table: `"public"."t"`, Sent: 3, Written: 2}, count)
		assert.True(t, batcher.IsPermanent(err))
		var partial *batcher.PartialError
		require.ErrorAs(t, err, &partial)
		assert.Len(t, partial.Errs, 4)
		assert.ErrorContains(t, partial.Errs[2], "NUL")
		assert.ErrorContains(t, err, `table "public"."t" has taken 2 of 3 rows and reported no error`)

		run(t, pool, "TRUNCATE t")
		sink := newSink(t, pool, "t", recordColumns(), form, pgsink.WithoutCountCheck())
		assert.NoError(t, sink.Write(within(t, soon), []record{{id: 1}, {id: 2}}))
	})
}

func TestRowsThatTheTableSkipsAreNeitherTriedAgainNorBisected(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (id int, n int, s text)", skipping)
	letters := batchertest.NewLetters[record]()
	b, err := batcher.New(newSink(t, pool, "t", recordColumns()).Write, batcher.WithMaxSize(20), batcher.WithBisect(),
		batcher.WithRetry(5, batcher.ExponentialBackoff(0, 0)), batcher.WithDeadLetter(letters.Handle))
	require.NoError(t, err)
	for i := range 20 {
		require.NoError(t, b.Add(t.Context(), record{id: int64(i)}))
	}
	require.NoError(t, b.Close(within(t, soon)))
	assert.Len(t, letters.Items(), 20)
	assert.Equal(t, int64(10), value[int64](t, pool, "SELECT count(*) FROM t"), "written once")
}

func TestTheErrorsOfTheServerAreSorted(t *testing.T) {
	const permanent, throttled, transient = "permanent", "throttled", "transient"
	for want, codes := range map[string]string{
		permanent: "22001 22003 22021 22P02 22P03 23502 23503 23505 23514 42501 42601 42703 42P01 3F000 44000 0A000 21000 " +
			"27000 09000 54000 P0001 P0002 20000 2F005 38000 39000 40002",
		throttled: "53000 53100 53200 53300 53400 57P03",
		transient: "08000 08006 08P01 25006 25P02 25P03 28000 28P01 40001 40P01 40003 55P03 55006 57014 57P01 57P02 57P05 58000 58030 " +
			"XX000 XX001 F0000 HV000 26000 3D000 AB123 00000 '' 2 123456",
	} {
		for code := range strings.FieldsSeq(codes) {
			err := pgsink.Classify(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: strings.Trim(code, "'")}))
			var server *pgconn.PgError
			require.ErrorAs(t, err, &server)
			wait, retryAfter := batcher.RetryDelay(err)
			assert.Equal(t, want == permanent, batcher.IsPermanent(err), code)
			assert.Equal(t, want == throttled, retryAfter, code)
			if retryAfter {
				assert.Positive(t, wait)
			}
		}
	}
}

func TestClassifyLeavesTheRestAlone(t *testing.T) {
	partial := &batcher.PartialError{Errs: map[int]error{0: &pgconn.PgError{Code: "23505"}}}
	data := &pgconn.PgError{Code: "22000"}
	for _, err := range []error{
		nil, io.ErrUnexpectedEOF, context.Canceled, partial, batcher.RetryAfter(data, 5), batcher.TooLarge(data), batcher.Permanent(io.EOF),
	} {
		assert.Equal(t, err, pgsink.Classify(err))
	}
	assert.True(t, batcher.IsPermanent(pgsink.Classify(&pgsink.RowError{Err: &pgconn.PgError{Code: "08P01"}})))
}

func TestAPanicInAColumnLeavesTheSinkAsItWas(t *testing.T) {
	pool := oneConnection(t, recordTable)
	columns := append(recordColumns()[:2], pgsink.Text("s", func(r *record) string {
		if r.s == "panic" {
			panic("boom")
		}
		return r.s
	}))
	sink := newSink(t, pool, "t", columns)
	assert.PanicsWithValue(t, "boom", func() { _ = sink.Write(within(t, soon), []record{{id: 1}, {id: 2, s: "panic"}}) })
	require.NoError(t, sink.Write(within(t, soon), []record{{id: 3}}))
	assert.Equal(t, []int64{3}, values[int64](t, pool, "SELECT id FROM t"))
}

func TestABadItemDoesNotHideTheFailureOfTheOthers(t *testing.T) {
	pool := newTable(t, recordTable)
	sink := newSink(t, pool, "t", recordColumns())
	run(t, pool, "DROP TABLE t")
	for _, n := range []int{2, 30} {
		batch := make([]record, n)
		batch[0].s = unencodable
		err := sink.Write(within(t, soon), batch)
		var partial *batcher.PartialError
		assert.False(t, errors.As(err, &partial))
		assert.True(t, batcher.IsPermanent(err))
		assert.ErrorContains(t, err, `pgsink: write to table "public"."t": ERROR: relation "public.t" does not exist`)
	}
	require.ErrorAs(t, sink.Write(within(t, soon), []record{{s: unencodable}}), new(*batcher.PartialError), "nothing was sent")
}

func TestAServerThatSpeaksAnotherLanguageNamesTheRowAsWell(t *testing.T) {
	pool := newTable(t, recordTable)
	var language string
	for _, name := range []string{"de_DE.UTF-8", "fr_FR.UTF-8", "ja_JP.UTF-8"} {
		if _, err := pool.Exec(within(t, soon), "SET lc_messages = '"+name+"'"); err == nil {
			language = name
			break
		}
	}
	if language == "" {
		t.Skip("the system has no other language")
	}
	run(t, pool, "ALTER DATABASE "+pool.Config().ConnConfig.Database+" SET lc_messages = '"+language+"'")
	pool.Reset()
	sink := newSink(t, pool, "t", recordColumns(), noIsolation(), pgsink.WithInsertBelow(0))
	var row *pgsink.RowError
	require.ErrorAs(t, sink.Write(within(t, soon), []record{{id: 1}, {id: 2, n: -1}}), &row)
	assert.Equal(t, 1, row.Row)
}

// sqlState returns the code of the server's error in err, "" if there is none.
func sqlState(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}
