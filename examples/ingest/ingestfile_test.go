package main

// -file: what becomes of the contents of files.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// found returns the records of a stream as "line:text", "line:{json}" and "line:overlong N".
func found(t *testing.T, in io.Reader) (all []string) {
	t.Helper()
	r := newRecordReader(in)
	for {
		rec, err := r.next()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return all
		}
		text := string(rec.text)
		switch {
		case rec.overlong > 0:
			text = fmt.Sprint("overlong ", rec.overlong)
		case rec.json:
			text = "JSON " + text
		}
		all = append(all, fmt.Sprint(rec.line, ": ", text))
	}
}

func TestRecordsAreJSONValuesAndLines(t *testing.T) {
	huge := strings.Repeat("x", maxLine)
	deep := strings.Repeat(`{"a":`, 20_000)
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"empty", "", nil},
		{"blank lines", "\n \n\t\r\n\n", nil},
		{"lines", "a\n b \r\n\nc", []string{"1: a", "2:  b ", "4: c"}},
		{"byte order mark", "\ufeffa\nb\n", []string{"1: a", "2: b"}},
		{"NDJSON", `{"a":1}` + "\n" + `{"b":2}` + "\n", []string{`1: JSON {"a":1}`, `2: JSON {"b":2}`}},
		{"objects on one line", `{"a":1}{"b":2} {"c":3}`,
			[]string{`1: JSON {"a":1}`, `1: JSON {"b":2}`, `1: JSON {"c":3}`}},
		{"object over lines", "x\n{\n \"a\": [\n  1,\n  \"b c\"\n ]\n}\ny\n",
			[]string{"1: x", `2: JSON {"a":[1,"b c"]}`, "8: y"}},
		{"objects over lines", "{\n}\n{\n\"a\":{}}\n {\n}{\n}\n",
			[]string{"1: JSON {}", `3: JSON {"a":{}}`, "5: JSON {}", "6: JSON {}"}},
		{"braces in strings", `{"a":"}\"{"}` + "\nx", []string{`1: JSON {"a":"}\"{"}`, "2: x"}},
		{"text after an object", `{"a":1} done` + "\n{}", []string{`1: {"a":1} done`, "2: JSON {}"}},
		{"a comma after an object", "[\n{\"a\":\n1},\n{}\n]",
			[]string{"1: [", `2: {"a":`, "3: 1},", "4: JSON {}", "5: ]"}},
		{"other JSON values are lines", "[1]\n\"a\"\n5\nnull\n", []string{"1: [1]", `2: "a"`, "3: 5", "4: null"}},
		{"a broken line among NDJSON", `{"a":1}` + "\n" + `{"a":` + "\n" + `{"b":2}` + "\n" + `{"c":3}` + "\n",
			[]string{`1: JSON {"a":1}`, `2: {"a":`, `3: JSON {"b":2}`, `4: JSON {"c":3}`}},
		{"a line broken in a string", `{"a":"b` + "\n" + `{"b":2}`, []string{`1: {"a":"b`, `2: JSON {"b":2}`}},
		{"a line broken after a comma", `{"a":1,` + "\n" + `{"b":2}`, []string{`1: {"a":1,`, `2: JSON {"b":2}`}},
		{"an object that does not end", "{\n\"a\":1\n", []string{"1: {", `2: "a":1`}},
		{"a program", "int f()\n{\n\treturn 1;\n}\n", []string{"1: int f()", "2: {", "3: \treturn 1;", "4: }"}},
		{"too deep for JSON", deep + "\n{}", []string{"1: " + deep, "2: JSON {}"}},
		{"the longest line", huge[1:] + "\ny", []string{"1: " + huge[1:], "2: y"}},
		{"a longer line", "x\n" + huge + "\ny", []string{"1: x", "2: overlong " + fmt.Sprint(maxLine+1), "3: y"}},
		{"a longer line at the end", "x\n" + huge + huge, []string{"1: x", "2: overlong " + fmt.Sprint(2*maxLine)}},
		{"a longer line in an object", "{\"a\":\n\"" + huge + "\"\n}\n",
			[]string{`1: {"a":`, "2: overlong " + fmt.Sprint(maxLine+3), "3: }"}},
		{"not UTF-8", "\xff\xfe\nb", []string{"1: \xff\xfe", "2: b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, found(t, strings.NewReader(c.in)))
			assert.Equal(t, c.want, found(t, iotest.HalfReader(strings.NewReader(c.in))), "read in halves")
		})
	}
}

func TestAnObjectWithoutEndIsGivenUpInTime(t *testing.T) {
	var in strings.Builder
	in.WriteString("{\n")
	for i := range 2 * maxObject / 20 {
		fmt.Fprintf(&in, "%q: \"0123456789\",\n", fmt.Sprint(i))
	}
	got := found(t, strings.NewReader(in.String()))
	assert.Equal(t, "1: {", got[0])
	assert.Len(t, got, 1+2*maxObject/20)
}

// FuzzRecords checks that nothing is lost, doubled or made up, white space apart.
func FuzzRecords(f *testing.F) {
	f.Add("{\"a\":1}\n{\n}\nx\n\n{\"a\"")
	f.Add("{}{} {\n\n\"a\"\n:\n1}x\n")
	f.Add("\ufeff{\r\n}\r\n")
	solid := func(text string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, text)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > maxLine {
			t.Skip("may have an overlong line")
		}
		r := newRecordReader(strings.NewReader(in))
		var all strings.Builder
		for line := 1; ; {
			rec, err := r.next()
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			require.GreaterOrEqual(t, rec.line, line, "in order")
			line = rec.line
			require.NotEmpty(t, rec.text)
			require.True(t, !rec.json || json.Valid(rec.text) && rec.text[0] == '{')
			all.Write(append(rec.text, '\n'))
		}
		require.Equal(t, solid(strings.TrimPrefix(in, "\ufeff")), solid(all.String()))
	})
}

// ingestFile runs the program on a file with these contents and returns the outcome
// and the events in the database, by ClientID without the run's part.
func ingestFile(t *testing.T, contents string) (outcome, map[string]Event) {
	t.Helper()
	dir := t.TempDir()
	path, db := filepath.Join(dir, "input.log"), filepath.Join(dir, "events.db")
	require.NoError(t, os.WriteFile(path, []byte(contents), 0o600))
	got := runProgram(t, t.Context(), defaults(), "", "-file", path, "-db", db, "-conns", "4")

	s := openTestSQLite(t, db)
	rows, err := s.reader.Query("SELECT client_id, user_id, action, metadata FROM events")
	require.NoError(t, err)
	events := make(map[string]Event)
	for rows.Next() {
		var e Event
		var metadata string
		require.NoError(t, rows.Scan(&e.ClientID, &e.UserID, &e.Action, &metadata))
		require.NoError(t, json.Unmarshal([]byte(metadata), &e.Metadata))
		id := e.ClientID
		if parts := strings.Split(id, "-"); parts[0] == "file" {
			id = parts[2]
		}
		e.ClientID = ""
		events[id] = e
	}
	require.NoError(t, errors.Join(rows.Err(), rows.Close(), s.Close()))
	return got, events
}

func TestAFileIsSentRecordByRecord(t *testing.T) {
	got, events := ingestFile(t, `{"id":"mine","user_id":"u","action":"login","metadata":{"a":"b"}}
{"user_id":"u2","action":"logout"}
{"level":"info","msg":"an event of another kind"}
{
	"level": "warn"
}

a plain line
{"user_id":"u3","action":
`+"a tab\tand a bad byte \xff\n")
	require.Zero(t, got.status, got.stderr)
	line := func(n int, action, key, text string) Event {
		return Event{UserID: "file", Action: action, Metadata: map[string]string{
			"source": "input.log", "line_number": fmt.Sprint(n), key: text,
		}}
	}
	assert.Equal(t, map[string]Event{
		"mine": {UserID: "u", Action: "login", Metadata: map[string]string{"a": "b"}},
		"2":    {UserID: "u2", Action: "logout", Metadata: map[string]string{}},
		"3":    line(3, "json", "line", `{"level":"info","msg":"an event of another kind"}`),
		"4":    line(4, "json", "line", `{"level":"warn"}`),
		"5":    line(8, "line", "line", "a plain line"),
		"6":    line(9, "line", "line", `{"user_id":"u3","action":`),
		"7":    line(10, "line", "line_base64", "YSB0YWIJYW5kIGEgYmFkIGJ5dGUg/w=="),
	}, events)
	assert.Contains(t, got.stdout, "found: 2 events, 2 other JSON objects, 3 lines; 0 too long, not sent\n")
	assert.Contains(t, got.stdout, "verified: all 7 accepted events")
}

func TestOverlongRecordsAreReportedAndNotCut(t *testing.T) {
	var in strings.Builder
	in.WriteString(strings.Repeat("x", maxValue) + "\n") // just fits
	for n := range 7 {
		in.WriteString(strings.Repeat("x", maxValue+1+n) + "\n")
	}
	in.WriteString(strings.Repeat("x", 3*maxLine) + "\n")
	in.WriteString("\xff" + strings.Repeat("x", maxValue*3/4) + "\n") // fits, but not in base 64
	in.WriteString(`{"user_id":"u","action":"a","metadata":{"a":"` + strings.Repeat("x", maxValue) + `"}}` + "\n")
	in.WriteString("last")
	got, events := ingestFile(t, in.String())
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stdout, "found: 1 events, 0 other JSON objects, 2 lines; 9 too long, not sent\n")
	assert.Contains(t, got.stdout, "verified: all 3 accepted events")
	assert.Contains(t, got.stderr, "ingest: too long for an event and not sent: 9\n")
	for n := range 5 {
		assert.Contains(t, got.stderr, fmt.Sprintf("source=input.log line=%d bytes=%d\n", n+2, maxValue+1+n))
	}
	assert.Equal(t, 1, strings.Count(got.stderr, "more of them are only counted"))
	assert.Equal(t, 5, strings.Count(got.stderr, "too long for an event, not sent"))
	assert.Len(t, events, 3)
	assert.Len(t, events["1"].Metadata["line"], maxValue)
}

func TestStdinIsAFileToo(t *testing.T) {
	got := runProgram(t, t.Context(), defaults(), "one\ntwo\n{\"user_id\":\"u\",\"action\":\"a\"}", "-file", "-")
	require.Zero(t, got.status, got.stderr)
	assert.Contains(t, got.stdout, "found: 1 events, 0 other JSON objects, 2 lines; 0 too long, not sent\n")
	assert.Contains(t, got.stdout, "verified: all 3 accepted events")
}

func TestAnEmptyFileIsNoFault(t *testing.T) {
	got, events := ingestFile(t, "\n\n")
	assert.Zero(t, got.status, got.stderr)
	assert.Contains(t, got.stdout, "verified: all 0 accepted events")
	assert.Empty(t, events)
}

func TestAFileThatBreaksOffEndsWithStatus1(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("one\ntwo\n"), iotest.ErrReader(errors.New("bad sector")))
	var stdout, stderr log
	status := runWith(t.Context(), defaults(), []string{"-file", "-"}, broken, &stdout, &stderr)
	assert.Equal(t, 1, status)
	assert.Contains(t, stdout.String(), "verified: all 2 accepted events", "what was read is stored")
	assert.Contains(t, stderr.String(), "ingest: read stdin: bad sector\n")
}

func TestTheSameFileCanBeIngestedTwice(t *testing.T) {
	db := filepath.Join(t.TempDir(), "events.db")
	for range 2 {
		got := runProgram(t, t.Context(), defaults(), goodEvent+"\n"+goodEvent, "-file", "-", "-db", db)
		require.Zero(t, got.status, got.stderr)
		assert.Contains(t, got.stdout, "verified: all 2 accepted events")
	}
}

func TestAMilesLongListOfObjectsStaysInOrder(t *testing.T) {
	var in strings.Builder
	var want []string
	for i := range 1000 {
		fmt.Fprintf(&in, "{\n\t\"n\": %d\n}\n", i)
		want = append(want, fmt.Sprintf(`%d: JSON {"n":%d}`, 3*i+1, i))
	}
	assert.True(t, slices.Equal(want, found(t, strings.NewReader(in.String()))))
}
