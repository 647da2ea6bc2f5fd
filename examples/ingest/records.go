package main

// Splitting a stream into records: JSON values, which may span lines, and lines.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// record is one thing found in a stream.
type record struct {
	line     int    // the number of the line that it begins on, from 1
	text     []byte // a line without its end, or a JSON object
	json     bool   // text is a JSON object, made compact if it spans lines
	overlong int    // the length of a line that is too long; then text is nil
}

// recordReader finds the records of a stream. A line that begins with { is taken
// as the beginning of JSON objects if such objects follow, complete and with
// nothing but blanks between them and after them to the end of a line.
// Everything else is taken line by line.
type recordReader struct {
	in    *bufio.Reader
	lines int      // read so far
	ahead []record // lines read in search of the end of an object
	found []record // objects not returned yet
	err   error    // what ended the stream, once ahead is used up
}

// A line longer than a body can be is of no use. An object is looked for within
// maxObject bytes, before its first line is taken for what it is alone.
const (
	maxLine   = maxBody
	maxObject = 1 << 20
)

func newRecordReader(in io.Reader) *recordReader {
	r := &recordReader{in: bufio.NewReaderSize(in, 64<<10)}
	if mark, _ := r.in.Peek(3); string(mark) == "\ufeff" {
		_, _ = r.in.Discard(3)
	}
	return r
}

// next returns the next record that is not blank, or why there is none: io.EOF at the end.
func (r *recordReader) next() (record, error) {
	for {
		if len(r.found) > 0 {
			first := r.found[0]
			r.found = r.found[1:]
			return first, nil
		}
		if !r.lookAhead(1) {
			return record{}, r.err
		}
		first := r.ahead[0]
		solid := bytes.TrimSpace(first.text)
		if len(solid) > 0 && solid[0] == '{' && r.findObjects() {
			continue
		}
		r.ahead = r.ahead[1:]
		if len(solid) > 0 || first.overlong > 0 {
			return first, nil
		}
	}
}

// lookAhead reads until n lines are ahead, and reports false if the stream ends before.
func (r *recordReader) lookAhead(n int) bool {
	for len(r.ahead) < n && r.err == nil {
		var line record
		if line, r.err = r.readLine(); r.err == nil {
			r.ahead = append(r.ahead, line)
		}
	}
	return len(r.ahead) >= n
}

// readLine reads one line. The rest of an overlong one is skipped and measured.
func (r *recordReader) readLine() (record, error) {
	var text []byte
	length := 0
	for {
		part, err := r.in.ReadSlice('\n')
		length += len(part)
		if length <= maxLine {
			text = append(text, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (length == 0 || !errors.Is(err, io.EOF)) {
			return record{}, err
		}
		r.lines++
		if length > maxLine {
			return record{line: r.lines, overlong: length}, nil
		}
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		return record{line: r.lines, text: text}, nil
	}
}

// findObjects moves the objects that begin on the first line ahead to found. It
// changes nothing and reports false if that line does not begin with objects,
// complete up to the end of a line.
func (r *recordReader) findObjects() bool {
	feed := &lineFeed{from: r}
	dec := json.NewDecoder(feed)
	var found []record
	for {
		var object json.RawMessage
		begin := dec.InputOffset()
		if dec.Decode(&object) != nil {
			return false
		}
		line := r.ahead[feed.lineAt(begin)].line
		found = append(found, record{line: line, text: compact(object), json: true})
		rest := bytes.TrimSpace(feed.fed[dec.InputOffset():])
		if len(rest) == 0 {
			r.found = found
			r.ahead = r.ahead[feed.lines:]
			return true
		}
		if rest[0] != '{' {
			return false
		}
	}
}

// compact removes the line ends and indentation of an object that has some.
func compact(object []byte) []byte {
	if bytes.IndexByte(object, '\n') < 0 {
		return object
	}
	var text bytes.Buffer
	if err := json.Compact(&text, object); err != nil {
		return object // cannot be: it has been parsed
	}
	return text.Bytes()
}

// lineFeed is the io.Reader of a JSON decoder that hands out one line after the other,
// so that no more is read than the decoder needs to see what is not JSON.
type lineFeed struct {
	from  *recordReader
	lines int    // handed out, of from.ahead
	fed   []byte // all that was handed out
	read  int    // how much of fed the decoder has read
}

var errNoObject = errors.New("no JSON object")

// Read hands out the next line, or the rest of one that did not fit.
func (f *lineFeed) Read(p []byte) (int, error) {
	if f.read == len(f.fed) {
		if len(f.fed) > maxObject {
			return 0, errNoObject
		}
		if !f.from.lookAhead(f.lines + 1) {
			return 0, io.EOF
		}
		line := f.from.ahead[f.lines]
		if line.overlong > 0 {
			return 0, errNoObject
		}
		f.lines++
		f.fed = append(append(f.fed, line.text...), '\n')
	}
	n := copy(p, f.fed[f.read:])
	f.read += n
	return n, nil
}

// lineAt returns the index of the line that the first byte after offset and blanks is on.
func (f *lineFeed) lineAt(offset int64) int {
	at := int(offset) + len(f.fed[offset:]) - len(bytes.TrimLeft(f.fed[offset:], " \t\r\n"))
	return bytes.Count(f.fed[:at], []byte{'\n'})
}
