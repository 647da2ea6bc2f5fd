package logperflush

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names = []string{"slow", "slog", "sampled", "fast", "library"}

// flusher is what all variants are.
type flusher interface {
	Flush(reason Reason, batch []int)
}

// open starts the variant of this name, for batches of size items. end ends it.
func open(tb testing.TB, name string, size int, write Write, w io.Writer) (f flusher, end func()) {
	switch name {
	case "slow":
		f = NewSlow(write, w)
	case "slog":
		f = NewSlog(write, w)
	case "sampled":
		f = NewSampled(write, w)
	case "fast":
		f = NewFast(write, w)
	default:
		l, err := NewLibrary(size, write, w)
		require.NoError(tb, err)
		return l, func() { require.NoError(tb, l.Close()) }
	}
	return f, func() {}
}

var errSink = errors.New("the disk is full")

// play flushes ten batches of three items in each of five seconds, in virtual time. Those of the
// last second fail. It returns the lines that were logged, and all items that the sink was given.
func play(t *testing.T, name string) (lines []string, items []int) {
	var text strings.Builder
	synctest.Test(t, func(t *testing.T) {
		var failing bool
		f, end := open(t, name, 3, func(batch []int) error {
			items = append(items, batch...)
			if failing {
				return errSink
			}
			return nil
		}, &text)
		for i := range 50 {
			synctest.Wait()
			failing = i >= 40
			f.Flush(Size, []int{3 * i, 3*i + 1, 3*i + 2})
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		end()
	})
	return strings.Split(strings.TrimSpace(text.String()), "\n"), items
}

func count(lines []string, what string) (n int) {
	for _, line := range lines {
		if strings.Contains(line, what) {
			n++
		}
	}
	return n
}

func TestEveryVariantWritesTheSameItems(t *testing.T) {
	want := make([]int, 150)
	for i := range want {
		want[i] = i
	}
	for _, name := range names {
		_, items := play(t, name)
		assert.Equal(t, want, items, name)
	}
}

func TestHowManyLinesThereAre(t *testing.T) {
	for name, want := range map[string]struct{ good, bad int }{
		"slow":    {40, 10},
		"slog":    {40, 10},
		"sampled": {4, 10},
		"fast":    {0, 10},
		"library": {0, 2}, // the first, and what was left out, when it is closed
	} {
		lines, _ := play(t, name)
		bad := count(lines, "failed")
		assert.Equal(t, want.bad, bad, "%s: failures", name)
		assert.Equal(t, want.good, count(lines, "flushed"), "%s: flushes that went well", name)
		assert.Len(t, lines, want.good+want.bad, name)
		assert.Positive(t, count(lines, errSink.Error()), name)
	}
}

func TestNoFailureIsLeftOutOfTheCounts(t *testing.T) {
	lines, _ := play(t, "library")
	assert.Contains(t, lines[len(lines)-1], "omitted=9 omitted_items=27")
	lines, _ = play(t, "sampled")
	assert.Equal(t, 3, count(lines, "omitted=9"), "after the first line")
}

func TestTheCountersKnowWhatTheLinesWouldSay(t *testing.T) {
	f := NewFast(func([]int) error { return nil }, io.Discard)
	f.Flush(Size, []int{1, 2, 3})
	f.Flush(Size, []int{4, 5, 6})
	f.Flush(Delay, []int{7})
	batches, items := f.Counts(Size)
	assert.EqualValues(t, 2, batches)
	assert.EqualValues(t, 7, items)
	batches, _ = f.Counts(Delay)
	assert.EqualValues(t, 1, batches)

	l, err := NewLibrary(3, func([]int) error { return nil }, io.Discard)
	require.NoError(t, err)
	l.Flush(Size, []int{1, 2, 3})
	l.Flush(Size, []int{4, 5, 6})
	l.Flush(Delay, []int{7})
	require.NoError(t, l.Close())
	s := l.Stats()
	assert.EqualValues(t, 2, s.Batches[batcher.ReasonSize])
	assert.EqualValues(t, 1, s.Batches[batcher.ReasonClose], "there was no delay to wait for")
	assert.EqualValues(t, 7, s.Flushed)
}
