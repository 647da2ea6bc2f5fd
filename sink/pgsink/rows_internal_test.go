package pgsink

// The encoder and its buffers: what they cost and keep.

import (
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type item struct {
	id   [16]byte
	n    int64
	f    float64
	s    string
	b    []byte
	t    time.Time
	tags []string
	nums []int64
}

// encodingSink is a sink without a server.
func encodingSink(t testing.TB, ordinal bool) *Sink[item] {
	t.Helper()
	s := &Sink[item]{sql: &statements{ordinal: ordinal}}
	types := map[string]serverType{
		"uuid": {oid: oidUUID}, "int": {oid: oidInt4}, "float": {oid: oidFloat8}, "text": {oid: oidVarchar, modifier: 44},
		"bytea": {oid: oidBytea}, "at": {oid: oidTimestamptz}, "jsonb": {oid: oidJSONB}, "raw": {name: "raw"},
		"texts": {element: &serverType{oid: oidText}}, "ints": {element: &serverType{oid: oidInt8}},
	}
	for _, c := range []Column[item]{
		UUID("uuid", func(i *item) [16]byte { return i.id }),
		Int("int", func(i *item) int64 { return i.n }),
		Float("float", func(i *item) float64 { return i.f }),
		Text("text", func(i *item) string { return i.s }),
		Bytea("bytea", func(i *item) []byte { return i.b }).NullIf(func(i *item) bool { return i.b == nil }),
		Timestamptz("at", func(i *item) time.Time { return i.t }),
		JSON("jsonb", func(dst []byte, i *item) ([]byte, error) {
			return append(append(append(dst, `{"s":"`...), i.s...), `"}`...), nil
		}),
		Raw("raw", "raw", func(dst []byte, i *item) ([]byte, error) { return append(dst, i.s...), nil }),
		TextArray("texts", func(i *item) []string { return i.tags }),
		IntArray("ints", func(i *item) []int64 { return i.nums }),
	} {
		encode, err := c.encoderFor(types[c.name])
		require.NoError(t, err)
		s.encoders, s.names = append(s.encoders, encode), append(s.names, c.name)
	}
	s.fields = len(s.encoders)
	if ordinal {
		s.fields++
	}
	s.sql.columns = len(s.encoders)
	return s
}

func items(n int) []item {
	list := make([]item, n)
	for i := range list {
		list[i] = item{n: int64(i), s: "some text", b: []byte("bytes"), t: time.Unix(int64(i), 0), tags: []string{"a", "b"}, nums: []int64{1, 2}}
	}
	return list
}

func TestARowAllocatesNothing(t *testing.T) {
	s, batch := encodingSink(t, true), items(1000)
	b := new(buffer)
	s.encode(b, batch, nil)
	assert.Zero(t, testing.AllocsPerRun(10, func() { s.encode(b, batch, nil) }))
	types := make([]uint32, len(s.encoders))
	b.parameters(types)
	assert.Zero(t, testing.AllocsPerRun(10, func() { b.parameters(types) }))
}

func TestTheStreamIsWellFormedWhateverIsLeftOut(t *testing.T) {
	for _, ordinal := range []bool{false, true} {
		s, batch := encodingSink(t, ordinal), items(20)
		batch[0].s, batch[7].s, batch[19].s = "\x00", strings.Repeat("x", 41), "\xff"
		batch[8].b = nil
		b := new(buffer)
		bad := s.encode(b, batch, nil)
		assert.Len(t, bad, 3)
		assert.Equal(t, 17, b.rows)
		data, found := strings.CutPrefix(string(b.data), header)
		require.True(t, found)
		rest := []byte(data)
		for row := range b.rows {
			require.Equal(t, uint16(s.fields), binary.BigEndian.Uint16(rest))
			rest = rest[2:]
			var value []byte
			for range s.fields {
				value, rest = cutField(rest)
			}
			if ordinal {
				assert.Equal(t, uint32(row), binary.BigEndian.Uint32(value))
			}
		}
		assert.Equal(t, trailer, string(rest))

		assert.Len(t, s.encode(b, batch, map[int]error{3: io.EOF}), 4, "what is bad already stays out")
		assert.Equal(t, 16, b.rows)
		b.parameters(make([]uint32, len(s.encoders)))
		assert.Len(t, b.params, 16*len(s.encoders))
		assert.Equal(t, "some text", string(b.params[3]))
		assert.Nil(t, b.params[(8-3)*len(s.encoders)+4], "the bytes of item 8, before which three are left out")
	}
}

func TestF37_ABufferOfARareLargeBatchIsLetGo(t *testing.T) {
	var p buffers
	put := func(size int) weak.Pointer[byte] {
		b := &buffer{data: make([]byte, size)}
		w := weak.Make(&b.data[0])
		p.put(b)
		return w
	}
	for range 50 {
		put(1000)
	}
	large := put(10 << 20)
	runtime.GC()
	assert.Nil(t, large.Value())
	for range 100 {
		put(1 << 20)
	}
	assert.Greater(t, p.usual.Load(), int64(1<<19), "what is usual now is kept")
}

func TestF37_OnlyTheLargeBufferIsDropped(t *testing.T) {
	var p buffers
	p.usual.Store(1 << 20)
	for size, kept := range map[int]bool{smallBuffer: true, 3 << 20: true, 64 << 20: false} {
		p.usual.Store(1 << 20)
		b := &buffer{data: make([]byte, 0, size)}
		assert.Equal(t, kept, p.keeps(b), "%d bytes", size)
	}
	p.usual.Store(0)
	assert.True(t, p.keeps(&buffer{data: make([]byte, 0, smallBuffer)}))
	assert.False(t, p.keeps(&buffer{data: make([]byte, 0, smallBuffer+1)}))
}

func TestABufferInThePoolRefersToNothing(t *testing.T) {
	var p buffers
	b := &buffer{data: []byte("x"), params: [][]byte{[]byte("y"), []byte("z")}}
	params := b.params
	p.put(b)
	assert.Equal(t, [][]byte{nil, nil}, params)
}

func TestAStreamThatIsDetachedIsAtItsEnd(t *testing.T) {
	b := new(buffers).get()
	b.flow.publish([]byte(strings.Repeat("x", 1000)), false) // more may come
	r := &stream{flow: &b.flow}
	p := make([]byte, 300)
	n, err := r.Read(p)
	require.NoError(t, err)
	assert.Equal(t, 300, n)
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			if _, err := r.Read(make([]byte, 1)); err != nil {
				assert.Equal(t, io.EOF, err)
				return
			}
		}
	})
	r.detach()
	n, err = r.Read(p)
	assert.Zero(t, n)
	assert.Equal(t, io.EOF, err)
	readers.Wait()
}

func TestAnEncoderCannotReachWhatIsBefore(t *testing.T) {
	errRefused := errors.New("refused")
	before := append(make([]byte, 0, 4096), "before"...)
	for name, encode := range map[string]func([]byte) ([]byte, error){
		"grown": func(dst []byte) ([]byte, error) { return append(dst, "value"...), nil },
		"own":   func([]byte) ([]byte, error) { return []byte("value"), nil },
		"moved": func(dst []byte) ([]byte, error) { return append(dst, strings.Repeat("v", 10_000)...)[9_995:], nil },
		"overwrites": func(dst []byte) ([]byte, error) {
			dst = append(dst, "XXXXXXXXX"...)
			return append(dst[:0], "value"...), nil
		},
	} {
		data, err := appendField(before, "!", encode)
		require.NoError(t, err, name)
		want := "before\x00\x00\x00\x06!value"
		if name == "moved" {
			want = "before\x00\x00\x00\x06!vvvvv"
		}
		assert.Equal(t, want, string(data), name)
	}
	_, err := appendField(before, "", func([]byte) ([]byte, error) { return nil, errRefused })
	assert.Equal(t, errRefused, err)
	data, err := appendField(nil, "", func(dst []byte) ([]byte, error) { return dst, nil })
	require.NoError(t, err)
	assert.Equal(t, "\x00\x00\x00\x00", string(data), "empty, not NULL")
}

func TestEscapedNULsAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		`"\u0000"`: true, `"\\u0000"`: false, `"\\\u0000"`: true, `"\\\\u0000"`: false, `"u0000"`: false,
		`"\\u0000 \u0000"`: true, `"\u00001"`: true, `"\u0001"`: false, ``: false,
	} {
		assert.Equal(t, want, hasEscapedNUL([]byte(text)), text)
	}
}

func TestTheLengthIsCountedInCharacters(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "abc": true, "äöü": true, "abcd": false, "äöüß": false, "abc ": true, "äöü    ": true, "abc  d": false, "ab  ": true, "    ": true, "    x": false,
	} {
		assert.Equal(t, ok, checkLength(text, 3) == nil, "%q", text)
	}
}

func TestTheRowIsFoundInEveryLanguage(t *testing.T) {
	s := &Sink[item]{relation: `t, line 7`, names: []string{"x", "column x", "y"}, sql: &statements{columns: 3}}
	for where, want := range map[string]struct {
		number int
		column string
	}{
		"COPY t, line 7, line 3, column y":                                       {3, "y"},
		"COPY t, line 7, line 3, column column x":                                {3, "column x"},
		"COPY t, line 7, line 12":                                                {12, ""},
		"COPY t, line 7, Zeile 12, Spalte x":                                     {12, "x"},
		"COPY t, line 7, 行 12, 列 y":                                              {12, "y"},
		"PL/pgSQL function f() line 3 at RAISE\nCOPY t, line 7, line 5":          {5, ""},
		"SQL statement \"COPY t, line 7, line 3\"\nPL/pgSQL function f() line 3": {},
		"COPY other, line 3":                                                     {}, "": {}, "COPY t, line 7": {},
		"COPY t, line 7, line 99999999999999999999": {},
	} {
		number, column, found := s.lineIn(where)
		assert.Equal(t, want.number != 0, found, where)
		if found {
			assert.Equal(t, want.number, number, where)
			assert.Equal(t, want.column, column, where)
		}
	}
	for where, want := range map[string]int{
		"unnamed portal parameter $4": 2, "unnamed portal parameter $3 = '...'": 1, "Parameter $7 des unbenannten Portals": 3,
		`SQL statement "SELECT $1"`: 0, "SQL-Anweisung »SELECT $1«": 0, "": 0, "параметр $4 неименованного портала": 2,
		"instruction SQL « SELECT $1 »": 0, "SQL文 'SELECT $1'": 0, "無名ポータルのパラメータ $4": 2, "unnamed portal parameter $0": 0,
	} {
		number, _, found := s.parameterIn(where)
		assert.Equal(t, want != 0, found, where)
		assert.Equal(t, want, number, where)
	}
}

func TestRowsThatWereLeftOutAreCounted(t *testing.T) {
	bad := map[int]error{0: io.EOF, 1: io.EOF, 4: io.EOF}
	for number, index := range map[int]int{1: 2, 2: 3, 3: 5, 4: 6} {
		assert.Equal(t, index, unsent(number, bad))
	}
	assert.Equal(t, 0, unsent(1, nil))
	assert.Equal(t, 9, unsent(10, nil))
}

func FuzzTextIsRefusedAsTheServerDoes(f *testing.F) {
	f.Add("abc", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 0 || limit > 1000 {
			return
		}
		runes := []rune(text)
		want := len(runes) <= limit || strings.Trim(string(runes[limit:]), " ") == ""
		if checkText(text) == nil {
			assert.Equal(t, want, checkLength(text, limit) == nil)
		}
	})
}
