package buffergrowth

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	usual = 1000
	large = 1 << 20 // 8 MiB, with 64 bits
)

// batches is what all variants are.
type batches interface {
	Add(items []int)
	Flush()
}

// buffers are the variants that have a single buffer, of which it is known how large it is.
var buffers = []string{"slow", "fixed", "fast"}

var names = append(slices.Clone(buffers), "library")

func open(tb testing.TB, name string, sink Sink) batches {
	switch name {
	case "slow":
		return NewSlow(usual, sink)
	case "fixed":
		return NewFixed(usual, sink)
	case "fast":
		return NewFast(usual, sink)
	}
	l, err := NewLibrary(2*large, sink)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, l.Close()) })
	return l
}

func TestEveryVariantPassesOnTheSameBatches(t *testing.T) {
	for _, name := range names {
		var got [][]int
		b := open(t, name, func(batch []int) { got = append(got, slices.Clone(batch)) })
		var want [][]int
		next := 0
		for _, n := range []int{3, 5000, 0, 1, 10_000, 2, 2} {
			var batch []int
			for range n {
				batch = append(batch, next)
				next++
			}
			b.Add(batch[:n/2])
			b.Add(batch[n/2:])
			b.Flush()
			if n > 0 {
				want = append(want, batch)
			}
		}
		assert.Equal(t, want, got, name)
	}
}

// capacity returns the size of the buffer after batches of these sizes.
func capacity(t *testing.T, name string, sizes ...int) int {
	b := open(t, name, func([]int) {})
	for _, n := range sizes {
		b.Add(make([]int, n))
		b.Flush()
	}
	return b.(interface{ Cap() int }).Cap()
}

func TestOneLargeBatchStaysForEverOrIsForgotten(t *testing.T) {
	sizes := append([]int{large}, slices.Repeat([]int{usual}, 100)...)
	assert.GreaterOrEqual(t, capacity(t, "slow", sizes...), large)
	assert.LessOrEqual(t, capacity(t, "fixed", sizes...), 2*usual)
	assert.LessOrEqual(t, capacity(t, "fast", sizes...), 2*usual)

	assert.GreaterOrEqual(t, capacity(t, "fast", large), large, "it might not have been the last one")
}

func TestABoundThatIsFixedMakesABufferForEveryBatchOnceTheLoadHasGrown(t *testing.T) {
	items := make([]int, 5*usual)
	for name, want := range map[string]float64{"slow": 0, "fixed": 2, "fast": 0} {
		b := open(t, name, func([]int) {})
		one := func() { b.Add(items); b.Flush() }
		one()
		assert.Equal(t, want, testing.AllocsPerRun(100, one), name)
	}
}

func TestBatchesThatAlternateKeepTheirBuffer(t *testing.T) {
	items := make([]int, 5*usual)
	b := open(t, "fast", func([]int) {})
	round := func() {
		for _, n := range []int{5 * usual, usual, usual} {
			b.Add(items[:n])
			b.Flush()
		}
	}
	round()
	assert.Zero(t, testing.AllocsPerRun(100, round))
}

// heap returns what is alive, in bytes, once the garbage collector has had a look.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// settle goes on with usual batches while the garbage collector comes some times. A slice in a
// sync.Pool that nobody takes out is gone after two collections; one in use stays.
func settle(one func()) {
	for range 4 {
		runtime.GC()
		for range 25 {
			one()
		}
	}
}

// heapAfter returns by how much the heap has grown by a variant that has had one large batch, and
// then some usual ones.
func heapAfter(tb testing.TB, name string) int64 {
	items := make([]int, large)
	before := heap()
	b := open(tb, name, func([]int) {})
	b.Add(items)
	b.Flush()
	settle(func() {
		b.Add(items[:usual])
		b.Flush()
	})
	grown := heap() - before
	runtime.KeepAlive(items)
	runtime.KeepAlive(b)
	return grown
}

func TestOnlyTheSlowSideHoldsTheMemoryOfALargeBatch(t *testing.T) {
	if runtime.GOARCH == "386" || runtime.GOARCH == "arm" {
		t.Skip("the sizes are those of 64 bits")
	}
	assert.Greater(t, heapAfter(t, "slow"), int64(8<<20)-1<<18)
	for _, name := range names[1:] {
		assert.Less(t, heapAfter(t, name), int64(1<<20), name)
	}
}
