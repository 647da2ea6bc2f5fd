package timenow

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names = []string{"slow", "offset", "fast", "library"}

// batches is what all variants are.
type batches interface {
	Add(value int)
	Flush()
}

// sink gets the values of a batch and the time of its first item.
type sink func(first time.Time, values []int)

// open starts the variant of this name. The sinks of those with a time for each item take them
// out into a slice of values, unless nobody wants them.
func open(tb testing.TB, name string, size int, to sink) batches {
	values := make([]int, 0, size)
	switch name {
	case "slow":
		return NewSlow(size, func(batch []Stamped) {
			values = values[:0]
			for _, item := range batch {
				values = append(values, item.Value)
			}
			to(batch[0].Added, values)
		})
	case "offset":
		return NewOffsets(size, func(first time.Time, batch []Offset) {
			values = values[:0]
			for _, item := range batch {
				values = append(values, item.Value)
			}
			to(first, values)
		})
	case "fast":
		return NewFast(size, to)
	}
	l, err := NewLibrary(size, to)
	require.NoError(tb, err)
	return closing{l, tb}
}

// closing ends the library's batcher when all is flushed.
type closing struct {
	Library
	tb testing.TB
}

func (c closing) Flush() {
	c.Library.Flush()
	require.NoError(c.tb, c.Close())
}

// stamped is a batch with the time of its first item, since the start.
type stamped struct {
	first  time.Duration
	values []int
}

func TestEveryVariantKnowsWhenTheFirstItemOfABatchCame(t *testing.T) {
	for _, name := range names {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var got []stamped
			b := open(t, name, 3, func(first time.Time, values []int) {
				got = append(got, stamped{first.Sub(start), slices.Clone(values)})
			})
			for i := range 5 {
				time.Sleep(time.Second)
				b.Add(i)
			}
			b.Flush()
			want := []stamped{{1 * time.Second, []int{0, 1, 2}}, {4 * time.Second, []int{3, 4}}}
			assert.Equal(t, want, got, name)
		})
	}
}

func TestOffsetsAreAsExactAsStamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stamps, offsets []time.Time
		s := NewSlow(10, func(batch []Stamped) {
			for _, item := range batch {
				stamps = append(stamps, item.Added)
			}
		})
		o := NewOffsets(10, func(first time.Time, batch []Offset) {
			for _, item := range batch {
				offsets = append(offsets, first.Add(item.After))
			}
		})
		for i := range 10 {
			time.Sleep(time.Duration(i) * time.Millisecond)
			s.Add(i)
			o.Add(i)
		}
		assert.Len(t, stamps, 10)
		assert.Equal(t, stamps, offsets)
	})
}

var escaped time.Time // what is put here cannot stay on a stack

func TestTimeNowDoesNotAllocate(t *testing.T) {
	assert.Zero(t, testing.AllocsPerRun(100, func() { escaped = time.Now() }))
	var boxed any
	assert.Equal(t, 1.0, testing.AllocsPerRun(100, func() { boxed = time.Now() }), "an interface of it does")
	assert.NotNil(t, boxed)
}

func TestNoVariantAllocatesForAnItem(t *testing.T) {
	for _, name := range names {
		b := open(t, name, 10_000, func(time.Time, []int) {})
		for range 3000 { // the library's buffer grows
			b.Add(1)
		}
		assert.Zero(t, testing.AllocsPerRun(1000, func() { b.Add(1) }), name)
		b.Flush()
	}
}
