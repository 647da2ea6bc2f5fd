package reflection

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// adder is what all variants are for items of type T. The slow ones box the item on the way.
type adder[T any] struct {
	add   func(item T)
	close func() error
}

var names = []string{"slow", "reflect", "fast", "library"}

// open starts the variant of this name.
func open[T any](tb testing.TB, name string, size int, sink func([]T) error) adder[T] {
	switch name {
	case "slow":
		s := NewSlow(size, Typed(sink))
		return adder[T]{func(item T) { s.Add(item) }, s.Close}
	case "reflect":
		r := NewReflect(size, sink)
		return adder[T]{func(item T) { r.Add(item) }, r.Close}
	case "fast":
		f := NewFast(size, sink)
		return adder[T]{f.Add, f.Close}
	}
	l, err := NewLibrary(size, sink)
	require.NoError(tb, err)
	return adder[T]{l.Add, l.Close}
}

func checkBatches[T any](t *testing.T, items []T) {
	t.Helper()
	for _, name := range names {
		var batches [][]T
		a := open(t, name, 2, func(batch []T) error {
			batches = append(batches, slices.Clone(batch))
			return nil
		})
		for _, item := range items {
			a.add(item)
		}
		require.NoError(t, a.close())
		assert.Equal(t, slices.Collect(slices.Chunk(items, 2)), batches, name)
	}
}

func TestEveryVariantPassesOnTheItemsInOrder(t *testing.T) {
	checkBatches(t, []int64{1, 2, 3, 1000, 5})
	checkBatches(t, []Event{{User: "a"}, {User: "b", Nanos: 7}, {User: "c", Values: [3]int64{1, 2, 3}}})
	checkBatches(t, []*Event{{User: "a"}, {User: "b"}, {User: "c"}})
	checkBatches(t, []string{"a", "b"})
}

// With Fast and the library these lines would not compile.
func TestAWrongTypeIsFoundOutInTheSinkOnly(t *testing.T) {
	sink := func([]int64) error { return nil }
	s := NewSlow(2, Typed(sink))
	s.Add(int64(1))
	s.Add("two")
	require.ErrorIs(t, s.Close(), ErrType)

	r := NewReflect(2, sink)
	r.Add(int64(1))
	r.Add("two")
	require.ErrorIs(t, r.Close(), ErrType)
}

// allocsPerAdd returns what an Add allocates while a batch fills.
func allocsPerAdd[T any](t *testing.T, name string, item T) float64 {
	a := open(t, name, 10_000, func([]T) error { return nil })
	for range 3000 { // the library's buffer grows
		a.add(item)
	}
	allocs := testing.AllocsPerRun(1000, func() { a.add(item) })
	require.NoError(t, a.close())
	return allocs
}

func TestOnlyAValueThatIsNotAPointerIsBoxedOnTheHeap(t *testing.T) {
	for name, want := range map[string]float64{"slow": 1, "reflect": 1, "fast": 0, "library": 0} {
		assert.Equal(t, want, allocsPerAdd(t, name, Event{User: "a"}), "%s, a struct", name)
		assert.Equal(t, want, allocsPerAdd(t, name, int64(1000)), "%s, a number", name)
		assert.Equal(t, want, allocsPerAdd(t, name, "text"), "%s, a string", name)
	}
	for _, name := range names {
		assert.Zero(t, allocsPerAdd(t, name, &Event{}), "%s, a pointer", name)
		assert.Zero(t, allocsPerAdd(t, name, int64(255)), "%s, a small number", name)
	}
}
