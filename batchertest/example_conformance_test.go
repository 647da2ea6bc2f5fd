package batchertest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

// journal is a sink: it appends its items to a writer, one to a line.
type journal struct {
	mu sync.Mutex // held while writing, which does not take long
	w  io.Writer
}

func (j *journal) Write(ctx context.Context, batch []string) error {
	if len(batch) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("journal: %w", context.Cause(ctx))
	}
	var lines bytes.Buffer
	bad := make(map[int]error)
	for i, item := range batch {
		if strings.Contains(item, "\n") {
			bad[i] = batcher.Permanent(errors.New("journal: item with a line break"))
			continue
		}
		lines.WriteString(item + "\n")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.w.Write(lines.Bytes()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if len(bad) > 0 {
		return &batcher.PartialError{Errs: bad}
	}
	return nil
}

// fullDisk is a writer that fails.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// testJournal is what a sink's own tests call TestConformance.
func testJournal(t *testing.T) {
	batchertest.TestSink(t, batchertest.SinkTest[string]{
		Open: func(testing.TB) batchertest.Target[string] {
			var file bytes.Buffer
			sink := &journal{w: &file}
			return batchertest.Target[string]{
				Write:  sink.Write,
				Stored: func(testing.TB) []string { return strings.Fields(file.String()) },
				Close:  func() {},
			}
		},
		Item:    func(i int) string { return fmt.Sprintf("item-%d", i) },
		Key:     func(item string) string { return item },
		BadItem: func(i int) string { return fmt.Sprintf("bad\n%d", i) },
		Ordered: true,
		Failures: []batchertest.Failure{{
			Name: "the disk is full",
			Provoke: func(t testing.TB) error {
				sink := &journal{w: fullDisk{}}
				return sink.Write(t.Context(), []string{"a"})
			},
			Want: batchertest.Transient, // somebody may make room
		}},
	})
}

// A sink that appends lines to a file, and its test.
func ExampleTestSink() {
	var TestConformance func(t *testing.T) = testJournal
	_ = TestConformance // is run by go test
}
