package metricslock

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var counters = []struct {
	name string
	make func() Counter
}{
	{"slow", func() Counter { return new(Slow) }},
	{"fast", func() Counter { return new(Fast) }},
	{"striped", func() Counter { return new(Striped) }},
}

// adder is what all batchers are.
type adder interface {
	Add(item int)
	Added() int64
	Close() error
}

// adders are the names of all variants.
var adders = []string{"uncounted", "slow", "fast", "striped", "library"}

func open(tb testing.TB, name string, size int, sink func([]int)) adder {
	for _, c := range counters {
		if c.name == name {
			return NewLoop(size, c.make(), sink)
		}
	}
	if name == "uncounted" {
		return NewLoop(size, nil, sink)
	}
	l, err := NewLibrary(size, sink)
	require.NoError(tb, err)
	return l
}

// inParallel calls do n times, shared out among the goroutines.
func inParallel(goroutines, n int, do func(i int)) {
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n; i += goroutines {
				do(i)
			}
		})
	}
	wg.Wait()
}

func TestNoCountIsLost(t *testing.T) {
	for _, c := range counters {
		counter := c.make()
		inParallel(8, 20_000, func(int) { counter.Inc() })
		assert.EqualValues(t, 20_000, counter.Value(), c.name)
	}
}

func TestEveryItemArrivesOnceAndIsCounted(t *testing.T) {
	const n = 10_000
	for _, name := range adders {
		seen := make([]int, n)
		q := open(t, name, 100, func(batch []int) {
			for _, item := range batch {
				seen[item]++
			}
		})
		inParallel(8, n, q.Add)
		added := q.Added()
		require.NoError(t, q.Close())
		for item, times := range seen {
			require.Equal(t, 1, times, "%s: item %d", name, item)
		}
		if name == "uncounted" {
			continue
		}
		assert.EqualValues(t, n, added, name)
		assert.EqualValues(t, n, q.Added(), name)
	}
}

func TestNeverMoreHaveArrivedThanWereCounted(t *testing.T) {
	for _, name := range adders[1:] {
		var q adder
		var arrived atomic.Int64
		opened := make(chan struct{})
		q = open(t, name, 1, func(batch []int) {
			<-opened
			if n := arrived.Add(int64(len(batch))); n > q.Added() {
				t.Errorf("%s: %d have arrived, of %d", name, n, q.Added())
			}
		})
		close(opened)
		inParallel(4, 2000, q.Add)
		require.NoError(t, q.Close())
		assert.EqualValues(t, 2000, arrived.Load(), name)
	}
}

func TestTheLibrarysNumbersAreOfOneMoment(t *testing.T) {
	l, err := NewLibrary(10, func([]int) {})
	require.NoError(t, err)
	inParallel(4, 4000, func(i int) {
		l.Add(i)
		s := l.Stats()
		if s.Added != s.Flushed+s.Failed+s.Dropped+s.Returned+s.Folded+s.Pending {
			t.Errorf("%+v", s)
		}
	})
	require.NoError(t, l.Close())
}

func TestCountingAllocatesNothing(t *testing.T) {
	for _, c := range counters {
		counter := c.make()
		assert.Zero(t, testing.AllocsPerRun(100, counter.Inc), c.name)
	}
}
