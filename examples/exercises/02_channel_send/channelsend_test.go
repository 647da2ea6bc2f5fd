package channelsend

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names = []string{"slow", "pointer", "fast", "library"}

// variant is what all of them are for the tests: add makes the nth item and adds it, again adds an
// item that was made beforehand.
type variant struct {
	add   func(n int)
	again func()
	close func() error
}

// The texts of the nth item.
var users = []string{"ann", "bob", "christine", "dorothea"}

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func user(n int) string { return users[n%len(users)] }

func item(n int) Item { return NewItem(user(n), "login", now, "10.0.0.1", "browser") }

func flat(n int) Flat { return NewFlat(user(n), "login", now, "10.0.0.1", "browser") }

// open starts the variant of this name. The sink gets the number of items of each batch, and
// the bytes in them.
func open(tb testing.TB, name string, size int, sink func(items, bytes int)) variant {
	switch name {
	case "slow":
		l, ready := NewSlow(size, sum(sink, (*Item).bytes)), item(0)
		return variant{func(n int) { l.Add(item(n)) }, func() { l.Add(ready) }, l.Close}
	case "pointer":
		ready := item(0)
		l := NewPointer(size, sum(sink, func(p **Item) int { return (*p).bytes() }))
		add := func(n int) {
			made := item(n)
			l.Add(&made)
		}
		return variant{add, func() { l.Add(&ready) }, l.Close}
	case "fast":
		l, ready := NewFast(size, sum(sink, (*Flat).bytes)), flat(0)
		return variant{func(n int) { l.Add(flat(n)) }, func() { l.Add(ready) }, l.Close}
	}
	l, err := NewLibrary(size, sum(sink, (*Flat).bytes))
	require.NoError(tb, err)
	ready := flat(0)
	return variant{func(n int) { l.Add(flat(n)) }, func() { l.Add(ready) }, l.Close}
}

// sum makes a sink for items of type T.
func sum[T any](sink func(items, bytes int), bytes func(*T) int) func([]T) {
	return func(batch []T) {
		total := 0
		for i := range batch {
			total += bytes(&batch[i])
		}
		sink(len(batch), total)
	}
}

func TestEveryVariantPassesOnTheSameData(t *testing.T) {
	const rest = len("login") + len("10.0.0.1") + len("browser")
	for _, name := range names {
		var got []string
		v := open(t, name, 2, func(items, bytes int) { got = append(got, fmt.Sprint(items, " ", bytes)) })
		for n := range 5 {
			v.add(n)
		}
		require.NoError(t, v.close())
		var want []string
		for pair := range slices.Chunk([]int{0, 1, 2, 3, 4}, 2) {
			bytes := 0
			for _, n := range pair {
				bytes += len(user(n)) + rest
			}
			want = append(want, fmt.Sprint(len(pair), " ", bytes))
		}
		assert.Equal(t, want, got, name)
	}
}

func TestItemsArriveInOrder(t *testing.T) {
	var got []string
	l := NewFast(3, func(batch []Flat) {
		for _, f := range batch {
			got = append(got, f.User)
		}
	})
	for n := range 4 {
		l.Add(flat(n))
	}
	require.NoError(t, l.Close())
	assert.Equal(t, users, got)
}

func TestTheFlatItemIsTheLargerOne(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	assert.EqualValues(t, 64, unsafe.Sizeof(Item{}))
	assert.EqualValues(t, 88, unsafe.Sizeof(Flat{}))
}

// allocs returns what add allocates while a batch fills.
func allocs(t *testing.T, name string, add func(v variant)) float64 {
	v := open(t, name, 10_000, func(int, int) {})
	for range 3000 { // the library's buffer grows
		add(v)
	}
	n := testing.AllocsPerRun(1000, func() { add(v) })
	require.NoError(t, v.close())
	return n
}

func TestTheSendItselfAllocatesNothing(t *testing.T) {
	for _, name := range names {
		assert.Zero(t, allocs(t, name, func(v variant) { v.again() }), name)
	}
}

func TestTheMapAllocatesAndThePointerOnceMore(t *testing.T) {
	made := map[string]float64{}
	for _, name := range names {
		made[name] = allocs(t, name, func(v variant) { v.add(1) })
	}
	assert.Positive(t, made["slow"])
	assert.Equal(t, made["slow"]+1, made["pointer"])
	assert.Zero(t, made["fast"])
	assert.Zero(t, made["library"])
}
