package pgsink_test

// Every type there and back, read through pgx.

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// itself is the item of a table with one column.
func itself[V any](v *V) V { return *v }

// thereAndBack writes values to a column of sqlType, by COPY and by INSERT, and returns what the
// table has then.
func thereAndBack[V any](t *testing.T, sqlType string, column pgsink.Column[V], values []V) (copied, inserted []V) {
	t.Helper()
	pool := newTable(t)
	for below, result := range map[int]*[]V{0: &copied, math.MaxInt: &inserted} {
		run(t, pool, "DROP TABLE IF EXISTS t")
		run(t, pool, fmt.Sprintf("CREATE TABLE t (n serial, v %s)", sqlType))
		sink := newSink(t, pool, "t", []pgsink.Column[V]{column}, pgsink.WithInsertBelow(below))
		require.NoError(t, sink.Write(within(t, soon), values))
		*result = valuesOf[V](t, pool)
	}
	return copied, inserted
}

func valuesOf[V any](t *testing.T, pool *pgxpool.Pool) []V {
	t.Helper()
	return values[V](t, pool, "SELECT v FROM t ORDER BY n")
}

// returns checks that values come back as they were written.
func returns[V any](t *testing.T, sqlType string, column pgsink.Column[V], values ...V) {
	t.Helper()
	t.Run(sqlType, func(t *testing.T) {
		t.Helper()
		copied, inserted := thereAndBack(t, sqlType, column, values)
		assert.Equal(t, values, copied)
		assert.Equal(t, values, inserted)
	})
}

func TestIntegersComeBack(t *testing.T) {
	column := pgsink.Int("v", itself[int64])
	returns(t, "smallint", column, 0, 1, -1, math.MinInt16, math.MaxInt16)
	returns(t, "integer", column, 0, 1, -1, math.MinInt32, math.MaxInt32)
	returns(t, "bigint", column, 0, 1, -1, math.MinInt64, math.MaxInt64)
}

func TestFloatsComeBack(t *testing.T) {
	column := pgsink.Float("v", itself[float64])
	inf := math.Inf(1)
	returns(t, "real", column, 0, 1.5, -2.25, inf, -inf, math.MaxFloat32, math.SmallestNonzeroFloat32)
	returns(t, "double precision", column, 0, 0.1, -1e300, inf, -inf, math.MaxFloat64, math.SmallestNonzeroFloat64)

	for _, sqlType := range []string{"real", "double precision"} {
		copied, inserted := thereAndBack(t, sqlType, column, []float64{math.NaN(), math.Copysign(0, -1)})
		for _, back := range [][]float64{copied, inserted} {
			assert.True(t, math.IsNaN(back[0]))
			assert.True(t, math.Signbit(back[1]))
		}
	}
	copied, _ := thereAndBack(t, "real", column, []float64{0.1, 1e-300})
	assert.Equal(t, []float64{float64(float32(0.1)), 0}, copied, "rounded")
}

func TestTextsComeBack(t *testing.T) {
	column := pgsink.Text("v", itself[string])
	huge := strings.Repeat("grüße, 世界 ", 30_000)
	returns(t, "text", column, "", " ", "a\tb\nc\\", `"'$1`, "\x01\x7f", "\U0010ffff", huge)
	returns(t, "varchar", column, "", "äöü", huge)
	returns(t, "varchar(3)", column, "", "äöü", "世界!", "a  ")
	returns(t, "char(3)", column, "äöü", "a  ", "   ")
	returns(t, "name", column, "", strings.Repeat("n", 63))
}

func TestBlanksThatAreTooManyAreCutOff(t *testing.T) {
	column := pgsink.Text("v", itself[string])
	for _, sqlType := range []string{"varchar(3)", "char(3)"} {
		copied, inserted := thereAndBack(t, sqlType, column, []string{"äöü  ", "a     ", "       "})
		assert.Equal(t, []string{"äöü", "a  ", "   "}, copied, sqlType)
		assert.Equal(t, []string{"äöü", "a  ", "   "}, inserted, sqlType)
	}
}

func TestEnumsAndDomainsComeBack(t *testing.T) {
	pool := newTable(t,
		"CREATE TYPE mood AS ENUM ('good', 'bad')",
		"CREATE DOMAIN short AS varchar(3)",
		"CREATE DOMAIN code AS short CHECK (VALUE <> 'no')",
		"CREATE DOMAIN small AS smallint",
		"CREATE TABLE t (n serial, mood mood, code code, small small)")
	type item struct {
		mood, code string
		small      int64
	}
	columns := []pgsink.Column[item]{
		pgsink.Text("mood", func(i *item) string { return i.mood }),
		pgsink.Text("code", func(i *item) string { return i.code }),
		pgsink.Int("small", func(i *item) int64 { return i.small }),
	}
	for _, opts := range [][]pgsink.Option{
		{pgsink.WithInsertBelow(0)}, {pgsink.WithInsertBelow(100)},
		{pgsink.OnConflictDoNothing(), pgsink.WithInsertBelow(0)},
		{pgsink.OnConflictDoNothing(), pgsink.WithInsertBelow(100)},
	} {
		sink := newSink(t, pool, "t", columns, opts...)
		run(t, pool, "TRUNCATE t")
		err := sink.Write(within(t, soon), []item{{"bad", "äöü", -1}, {"good", "long", 1}, {"good", "", 1 << 20}, {"good", "x", 7}})
		var partial *batcher.PartialError
		require.ErrorAs(t, err, &partial)
		assert.Len(t, partial.Errs, 2)
		assert.ErrorContains(t, partial.Errs[1], "4 characters are too long for a column of 3")
		assert.ErrorContains(t, partial.Errs[2], "out of the range of smallint")
		assert.Equal(t, []string{"bad äöü -1", "good x 7"},
			values[string](t, pool, "SELECT concat_ws(' ', mood, code, small) FROM t ORDER BY n"))
	}
}

func TestBytesBoolsAndUUIDsComeBack(t *testing.T) {
	returns(t, "bytea", pgsink.Bytea("v", itself[[]byte]), []byte{}, []byte{0, 255, '\\'}, make([]byte, 1<<20))
	returns(t, "boolean", pgsink.Bool("v", itself[bool]), true, false)
	returns(t, "uuid", pgsink.UUID("v", itself[[16]byte]), [16]byte{}, [16]byte{1, 15: 255})
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

func TestTimesComeBack(t *testing.T) {
	first, last := day(-4713, 11, 24), day(294277, 1, 1).Add(-time.Microsecond)
	zone := time.FixedZone("somewhere", 5*3600+1800)
	moments := []time.Time{
		first, last, {}, day(1999, 12, 31), day(2000, 1, 1), time.Unix(0, 0),
		time.Date(2026, 3, 1, 23, 59, 59, 999_999_999, zone), day(1969, 12, 31).Add(time.Microsecond),
	}
	back, inserted := thereAndBack(t, "timestamptz", pgsink.Timestamptz("v", itself[time.Time]), moments)
	for i, m := range moments {
		assert.True(t, back[i].Equal(m.Truncate(time.Microsecond)), "%v is not %v", back[i], m)
		assert.True(t, inserted[i].Equal(back[i]))
	}
	back, _ = thereAndBack(t, "timestamp", pgsink.Timestamp("v", itself[time.Time]), moments)
	for i, m := range moments {
		assert.Equal(t, m.Format("2006-01-02 15:04:05.000000"), back[i].Format("2006-01-02 15:04:05.000000"))
	}
	moments[1] = day(294276, 12, 31)
	back, _ = thereAndBack(t, "date", pgsink.Date("v", itself[time.Time]), append(moments, day(1970, 1, 1), day(5874897, 12, 31)))
	for i, m := range append(moments, day(1970, 1, 1), day(5874897, 12, 31)) {
		assert.Equal(t, m.Format(time.DateOnly), back[i].Format(time.DateOnly))
	}
}

// refuses checks that values fail alone, with a message that contains want, and are not sent.
func refuses[V any](t *testing.T, sqlType string, column pgsink.Column[V], good V, want string, bad ...V) {
	t.Helper()
	t.Run(sqlType+" "+want, func(t *testing.T) {
		t.Helper()
		pool := newTable(t, fmt.Sprintf("CREATE TABLE t (n serial, v %s)", sqlType))
		sink := newSink(t, pool, "t", []pgsink.Column[V]{column})
		err := sink.Write(within(t, soon), append([]V{good}, bad...))
		var partial *batcher.PartialError
		require.ErrorAs(t, err, &partial)
		require.Len(t, partial.Errs, len(bad))
		for i := range bad {
			err := partial.Errs[i+1]
			assert.ErrorContains(t, err, want)
			assert.True(t, batcher.IsPermanent(err))
			var row *pgsink.RowError
			require.ErrorAs(t, err, &row)
			assert.Equal(t, i+1, row.Row)
			assert.Equal(t, "v", row.Column)
		}
		assert.Equal(t, int64(1), value[int64](t, pool, "SELECT count(*) FROM t"))
	})
}

func TestValuesThatTheColumnCannotHoldFailAlone(t *testing.T) {
	ints := pgsink.Int("v", itself[int64])
	refuses(t, "smallint", ints, 1, "out of the range of smallint", math.MinInt16-1, math.MaxInt16+1, math.MaxInt64)
	refuses(t, "integer", ints, 1, "out of the range of integer", math.MinInt32-1, math.MaxInt32+1)
	refuses(t, "real", pgsink.Float("v", itself[float64]), 1, "out of the range of real", 1e39, -1e300)
	texts := pgsink.Text("v", itself[string])
	refuses(t, "text", texts, "x", "not valid UTF-8", "a\xff", "\xed\xa0\x80")
	refuses(t, "text", texts, "x", "a NUL character", "a\x00")
	refuses(t, "varchar(3)", texts, "x", "4 characters are too long", "abcd", "äöü!")
	refuses(t, "char(3)", texts, "x", "too long for a column of 3", "abcd", "abc  d")
	refuses(t, "name", texts, "x", "64 bytes are too long", strings.Repeat("n", 64))
	refuses(t, "text[]", pgsink.TextArray("v", itself[[]string]), nil, "a NUL character", []string{"a", "\x00"})
	refuses(t, "integer[]", pgsink.IntArray("v", itself[[]int64]), nil, "out of the range of integer", []int64{1 << 40})
	tooEarly, tooLate := day(-4713, 11, 24).Add(-time.Nanosecond), day(294277, 1, 1)
	extremes := []time.Time{tooEarly, tooLate, time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0)}
	refuses(t, "timestamptz", pgsink.Timestamptz("v", itself[time.Time]), time.Time{}, "out of the range of a timestamp", extremes...)
	refuses(t, "timestamp", pgsink.Timestamp("v", itself[time.Time]), time.Time{}, "out of the range of a timestamp", extremes...)
	extremes[1] = day(5874898, 1, 1)
	refuses(t, "date", pgsink.Date("v", itself[time.Time]), time.Time{}, "out of the range of a date", extremes...)
	raw := pgsink.JSON("v", func(dst []byte, s *string) ([]byte, error) { return append(dst, *s...), nil })
	refuses(t, "jsonb", raw, `"\\u0000"`, "which jsonb cannot store", `"\u0000"`, `"\\\u0000"`)
	refuses(t, "json", raw, `"\u0000"`, "the text is empty", "")
	refuses(t, "json", raw, `1`, "not valid UTF-8", "\"\xff\"")
	refuses(t, "json", raw, `1`, "a NUL character", "\"\x00\"")
	refuses(t, "json", pgsink.JSONValue("v", func(f *float64) any { return *f }), 1, "unsupported value", math.NaN())
}

func TestJSONComesBack(t *testing.T) {
	texts := []string{`{}`, `{"a": [1, null, "ü\\u0000"]}`, `"` + strings.Repeat("x", 1<<20) + `"`, `null`}
	column := pgsink.JSON("v", func(dst []byte, s *string) ([]byte, error) { return append(dst, *s...), nil })
	returns(t, "json", column, texts...)
	returns(t, "jsonb", column, texts...)
	own := pgsink.JSON("v", func(_ []byte, s *string) ([]byte, error) { return []byte(*s), nil })
	returns(t, "jsonb", own, texts...)

	type details struct {
		A string `json:"a"`
		B []int  `json:"b,omitempty"`
	}
	pool := newTable(t, "CREATE TABLE t (v jsonb)")
	sink := newSink(t, pool, "t", []pgsink.Column[details]{pgsink.JSONValue("v", func(d *details) any { return d })})
	require.NoError(t, sink.Write(within(t, soon), []details{{A: "<ü>", B: []int{1}}}))
	var back details
	require.NoError(t, json.Unmarshal([]byte(value[string](t, pool, "SELECT v::text FROM t")), &back))
	assert.Equal(t, details{A: "<ü>", B: []int{1}}, back)
}

func TestArraysComeBack(t *testing.T) {
	texts, ints := pgsink.TextArray("v", itself[[]string]), pgsink.IntArray("v", itself[[]int64])
	returns(t, "text[]", texts, []string{}, []string{""}, []string{"a", `"b,{}`, "NULL", "ü"})
	returns(t, "varchar(3)[]", texts, []string{"äöü", ""})
	returns(t, "smallint[]", ints, []int64{}, []int64{math.MinInt16, 0, math.MaxInt16})
	returns(t, "integer[]", ints, []int64{math.MinInt32})
	returns(t, "bigint[]", ints, []int64{math.MinInt64, math.MaxInt64}, make([]int64, 100_000))
	copied, inserted := thereAndBack(t, "text[]", texts, [][]string{nil})
	assert.Equal(t, [][]string{{}}, copied, "nil is an empty array")
	assert.Equal(t, [][]string{{}}, inserted)
}

func TestNullIfWritesNullAndDoesNotAskTheColumn(t *testing.T) {
	pool := newTable(t, "CREATE TABLE t (n bigint, v text)")
	columns := []pgsink.Column[int]{
		pgsink.Int("n", func(i *int) int64 { return int64(*i) }),
		pgsink.Text("v", func(i *int) string {
			if *i%2 == 0 {
				panic("asked for what is NULL")
			}
			return ""
		}).NullIf(func(i *int) bool { return *i%2 == 0 }),
	}
	for _, opts := range [][]pgsink.Option{
		{pgsink.WithInsertBelow(0)}, {pgsink.WithInsertBelow(100)}, {pgsink.OnConflictDoNothing(), pgsink.WithInsertBelow(0)},
	} {
		run(t, pool, "TRUNCATE t")
		sink := newSink(t, pool, "t", columns, opts...)
		require.NoError(t, sink.Write(within(t, soon), []int{1, 2, 3, 4}))
		assert.Equal(t, []bool{false, true, false, true}, values[bool](t, pool, "SELECT v IS NULL FROM t ORDER BY n"))
	}
}

func TestRawWritesAnyType(t *testing.T) {
	ipv4 := func(dst []byte, a *netip.Addr) ([]byte, error) {
		dst = append(dst, 2, 32, 0, 4) // family, bits, not a network, length
		return append(dst, a.AsSlice()...), nil
	}
	address := netip.MustParseAddr("203.0.113.7")
	for _, name := range []string{"inet"} {
		returns(t, "inet", pgsink.Raw("v", name, ipv4), address)
	}
	double := func(dst []byte, f *float64) ([]byte, error) { return append(dst, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0), nil }
	for _, name := range []string{"float8", "double precision"} {
		returns(t, "double precision", pgsink.Raw("v", name, double), 1.0)
	}
}

// anything has a field for each kind of column.
type anything struct {
	I2, I4, I8 int64
	F4, F8     float64
	S, C       string
	B          []byte
	T          time.Time
	D          time.Time
	Null       bool
	A          []string
	N          []int64
	J          string
}

func anythingColumns() []pgsink.Column[anything] {
	return []pgsink.Column[anything]{
		pgsink.Int("i2", func(a *anything) int64 { return a.I2 }),
		pgsink.Int("i4", func(a *anything) int64 { return a.I4 }),
		pgsink.Int("i8", func(a *anything) int64 { return a.I8 }),
		pgsink.Float("f4", func(a *anything) float64 { return a.F4 }),
		pgsink.Float("f8", func(a *anything) float64 { return a.F8 }),
		pgsink.Text("s", func(a *anything) string { return a.S }),
		pgsink.Text("c", func(a *anything) string { return a.C }).NullIf(func(a *anything) bool { return a.Null }),
		pgsink.Bytea("b", func(a *anything) []byte { return a.B }),
		pgsink.Timestamptz("t", func(a *anything) time.Time { return a.T }),
		pgsink.Date("d", func(a *anything) time.Time { return a.D }),
		pgsink.TextArray("a", func(a *anything) []string { return a.A }),
		pgsink.IntArray("n", func(a *anything) []int64 { return a.N }),
		pgsink.JSONValue("j", func(a *anything) any { return a.J }),
	}
}

const anythingTable = `CREATE TABLE t (id serial, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
	s text, c varchar(9), b bytea, t timestamptz, d date, a text[], n integer[], j jsonb)`

func randomAnything(r *rand.Rand) anything {
	text := func(n int) string {
		runes := make([]rune, r.IntN(n+1))
		for i := range runes {
			for runes[i] == 0 || runes[i] >= 0xd800 && runes[i] < 0xe000 {
				runes[i] = rune(r.IntN([]int{0x80, 0x800, 0x110000}[r.IntN(3)]))
			}
		}
		return string(runes)
	}
	a := anything{
		I2: int64(int16(r.Uint64())), I4: int64(int32(r.Uint64())), I8: int64(r.Uint64()),
		F4: float64(r.Float32() * 1e9), F8: r.NormFloat64() * 1e200,
		S: text(200), C: text(9), B: []byte(text(50)), Null: r.IntN(4) == 0, J: text(40),
		T: time.UnixMicro(r.Int64N(1<<58) - 1<<57).UTC(),
		A: []string{}, N: []int64{},
	}
	a.D = time.Unix((r.Int64N(1<<22)-1<<21)*86400, 0).UTC()
	for range r.IntN(5) {
		a.A, a.N = append(a.A, text(9)), append(a.N, int64(int32(r.Uint64())))
	}
	return a
}

func TestRandomRowsComeBack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	batch := make([]anything, 2000)
	for i := range batch {
		batch[i] = randomAnything(r)
	}
	pool := newTable(t, anythingTable)
	for name, opts := range map[string][]pgsink.Option{
		"copy":    {pgsink.WithInsertBelow(0)},
		"insert":  {pgsink.WithInsertBelow(math.MaxInt)},
		"staging": {pgsink.OnConflictDoNothing(), pgsink.WithInsertBelow(0)},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, pool, "TRUNCATE t")
			require.NoError(t, newSink(t, pool, "t", anythingColumns(), opts...).Write(within(t, soon), batch))
			back := readAnything(t, pool)
			require.Len(t, back, len(batch))
			for i := range batch {
				want := batch[i]
				if want.Null {
					want.C = ""
				}
				require.Equal(t, want, back[i])
			}
		})
	}
}

func readAnything(t *testing.T, pool *pgxpool.Pool) []anything {
	t.Helper()
	rows, err := pool.Query(within(t, soon), `SELECT i2, i4, i8, f4, f8, s, coalesce(c, ''), b, t, d, c IS NULL, a, n, j #>> '{}' FROM t ORDER BY id`)
	require.NoError(t, err)
	back, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a anything, err error) {
		err = row.Scan(&a.I2, &a.I4, &a.I8, &a.F4, &a.F8, &a.S, &a.C, &a.B, &a.T, &a.D, &a.Null, &a.A, &a.N, &a.J)
		a.T = a.T.UTC()
		return a, err
	})
	require.NoError(t, err)
	return back
}

func TestAnEmptyBatchTouchesNothing(t *testing.T) {
	pool := newTable(t, eventsTable)
	sink := newSink(t, pool, "events", eventColumns())
	pool.Close()
	assert.NoError(t, sink.Write(context.Background(), nil))
	assert.NoError(t, sink.Write(context.Background(), []event{}))
}
