package slowflush

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

var names = []string{"slow", "fast", "library"}

const (
	ms    = time.Millisecond
	depth = 4 // batches that may wait
)

// open starts the variant of this name.
func open(tb testing.TB, name string, size int, sink Sink) adder {
	switch name {
	case "slow":
		return NewSlow(size, sink)
	case "fast":
		return NewFast(size, depth, sink)
	}
	l, err := NewLibrary(size, depth, sink)
	require.NoError(tb, err)
	return l
}

func TestEveryVariantPassesOnTheSameBatchesInOrder(t *testing.T) {
	for _, name := range names {
		var want, got [][]int
		b := open(t, name, 3, func(batch []int) { got = append(got, slices.Clone(batch)) })
		for i := range 100 {
			if i%3 == 0 {
				want = append(want, nil)
			}
			want[len(want)-1] = append(want[len(want)-1], i)
			b.Add(i)
		}
		require.NoError(t, b.Close())
		assert.Equal(t, want, got, name)
	}
}

// waits adds n items, one each interval, to a batcher for 100 items whose sink takes 50 ms, all in
// virtual time.
func waits(
	t *testing.T, name string, n int, interval time.Duration,
) (waits []time.Duration, total time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := open(t, name, 100, func([]int) { time.Sleep(50 * ms) })
		waits = Waits(b, n, interval)
		require.NoError(t, b.Close())
		total = time.Since(start)
	})
	return waits, total
}

func TestAProducerWaitsForASinkInTheLoopOnly(t *testing.T) {
	got, _ := waits(t, "slow", 1000, ms)
	held := slices.DeleteFunc(slices.Clone(got), func(d time.Duration) bool { return d == 0 })
	assert.NotEmpty(t, held)
	// Item 99 is the last of the batch; 100 to 109 find room in the channel, 110 waits.
	assert.Zero(t, slices.Max(got[:110]))
	assert.Equal(t, 39*ms, got[110], "from 110 ms to 149 ms, when the sink returns")
	assert.Equal(t, 38*ms, got[111], "its Add was quick, but late")
	assert.Equal(t, 39*ms, slices.Max(got))

	for _, name := range []string{"fast", "library"} {
		got, _ := waits(t, name, 1000, ms)
		assert.Zero(t, slices.Max(got), name)
	}
}

func TestAQueueDoesNotMakeASlowSinkFaster(t *testing.T) {
	// Items come twice as fast as the sink takes them, 4000 a second.
	for _, name := range names {
		got, total := waits(t, name, 2000, 250*time.Microsecond)
		assert.Positive(t, slices.Max(got), "%s: in the long run all wait", name)
		assert.GreaterOrEqual(t, total, 20*50*ms, name)
		assert.Less(t, total, 1100*ms, "%s: but the sink is never idle", name)
	}
}

func TestTheQueueIsTheBoundOfWhatIsHeld(t *testing.T) {
	for _, name := range []string{"fast", "library"} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			b := open(t, name, 10, func([]int) { <-release })
			added := 0
			go func() {
				for i := range 1000 {
					b.Add(i)
					added++
				}
			}()
			synctest.Wait()
			// One batch is in the sink, four wait. Fast has another one in its loop, and its channel.
			want := map[string]int{"fast": 60 + queueSize, "library": 50}[name]
			assert.Equal(t, want, added, name)
			close(release)
			synctest.Wait()
			assert.Equal(t, 1000, added, name)
			require.NoError(t, b.Close())
		})
	}
}
