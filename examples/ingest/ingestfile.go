package main

// Events from a file or from stdin, for -file.

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"unicode/utf8"
)

// fileSource makes events of the records of a file. A JSON object that is a valid
// body of POST /event is sent as it is, with an id if it has none. Any other
// object or line becomes the metadata of an event. Records that do not fit are
// reported and counted.
type fileSource struct {
	in   io.ReadCloser
	name string
	run  string
	log  *slog.Logger

	mu     sync.Mutex // guards counts
	counts fileCounts
}

// fileCounts says what was found.
type fileCounts struct {
	events   int // JSON objects that are events
	objects  int // other JSON objects
	lines    int // plain lines
	overlong int // too long for an event: not sent
	err      error
}

// openFile opens the file, "-" for stdin.
func openFile(name, run string, stdin io.Reader, log *slog.Logger) (*fileSource, error) {
	s := &fileSource{name: "stdin", run: run, log: log, in: io.NopCloser(stdin)}
	if name == "-" {
		return s, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close()
		return nil, fmt.Errorf("read %s: is a directory", name)
	}
	s.in, s.name = f, filepath.Base(name)
	return s, nil
}

// found returns what was found so far.
func (s *fileSource) found() fileCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

func (s *fileSource) note(change func(*fileCounts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}

// requests yields the events, to the end of the file.
func (s *fileSource) requests() iter.Seq[request] {
	return func(yield func(request) bool) {
		records := newRecordReader(s.in)
		for n := 1; ; n++ {
			r, err := records.next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					s.note(func(c *fileCounts) { c.err = fmt.Errorf("read %s: %w", s.name, err) })
				}
				return
			}
			event, ok := s.event(r)
			if !ok {
				continue
			}
			if event.ID == "" {
				event.ID = fmt.Sprintf("file-%s-%d", s.run, n)
			}
			if !yield(request{event: event}) {
				return
			}
		}
	}
}

// event makes an event of a record, and reports false if it is too long for one.
func (s *fileSource) event(r record) (eventInput, bool) {
	if r.json {
		if in, err := decodeEvent(r.text); err == nil {
			s.note(func(c *fileCounts) { c.events++ })
			return in, true
		}
	}
	key, text := "line", string(r.text)
	if !utf8.Valid(r.text) || checkText("", text, 0, len(text)) != nil {
		key, text = "line_base64", base64.StdEncoding.EncodeToString(r.text)
	}
	if r.overlong > 0 || len(text) > maxValue {
		s.tooLong(r.line, max(r.overlong, len(r.text)))
		return eventInput{}, false
	}
	action := "line"
	if r.json {
		action = "json"
	}
	s.note(func(c *fileCounts) {
		if r.json {
			c.objects++
		} else {
			c.lines++
		}
	})
	metadata := map[string]string{"source": s.name, "line_number": strconv.Itoa(r.line), key: text}
	return eventInput{UserID: "file", Action: action, Metadata: metadata}, true
}

// tooLong reports the first few records that do not fit, and counts them all.
func (s *fileSource) tooLong(line, length int) {
	const reported = 5
	s.note(func(c *fileCounts) {
		c.overlong++
		switch {
		case c.overlong <= reported:
			s.log.Warn("too long for an event, not sent", "source", s.name, "line", line, "bytes", length)
		case c.overlong == reported+1:
			s.log.Warn("more of them are only counted")
		}
	})
}
