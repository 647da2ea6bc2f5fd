package timerdrift

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names = []string{"slow", "fast", "library"}

const ms = time.Millisecond

// flushed is what a sink has seen: when it was called, since the start, and with what.
type flushed struct {
	at    time.Duration
	items []int
}

// play adds an item at each of the times given, in virtual time, to a batcher for 3 items or 10 ms,
// whose sink takes a while.
func play(t *testing.T, variant string, takes time.Duration, adds ...time.Duration) (log []flushed) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b, err := open(variant, 3, 10*ms, func(batch []Item) {
			f := flushed{at: time.Since(start)}
			for _, item := range batch {
				f.items = append(f.items, item.Seq)
			}
			log = append(log, f)
			time.Sleep(takes)
		})
		require.NoError(t, err)
		for i, at := range adds {
			time.Sleep(at - time.Since(start))
			b.Add(Item{i, time.Now()})
			synctest.Wait()
		}
		time.Sleep(time.Second)
		require.NoError(t, b.Close())
	})
	return log
}

func TestTheTickerCutsABatchAtAnyAge(t *testing.T) {
	adds := []time.Duration{1 * ms, 19 * ms, 21 * ms}
	assert.Equal(t, []flushed{{10 * ms, []int{0}}, {20 * ms, []int{1}}, {30 * ms, []int{2}}},
		play(t, "slow", 0, adds...), "after 9 ms, 1 ms and 9 ms")

	want := []flushed{{11 * ms, []int{0}}, {29 * ms, []int{1, 2}}}
	assert.Equal(t, want, play(t, "fast", 0, adds...), "after 10 ms each")
	assert.Equal(t, want, play(t, "library", 0, adds...))
}

func TestATickThatCameDuringAFlushCutsTheNextBatchAtOnce(t *testing.T) {
	adds := []time.Duration{9 * ms, 36 * ms, 37 * ms} // the flush takes from 10 or 19 ms, 25 ms long
	assert.Equal(t, []flushed{{10 * ms, []int{0}}, {40 * ms, []int{1, 2}}}, play(t, "slow", 25*ms, adds...),
		"the tick of 20 ms was read at 35 ms, with nothing there; that of 40 ms cuts after 4 ms")

	// The loop is busy until 44 ms: only then does it see that there are items.
	assert.Equal(t, []flushed{{19 * ms, []int{0}}, {54 * ms, []int{1, 2}}}, play(t, "fast", 25*ms, adds...))

	// The library counts from the Add at 36 ms, not from when the worker was free again.
	assert.Equal(t, []flushed{{19 * ms, []int{0}}, {46 * ms, []int{1, 2}}}, play(t, "library", 25*ms, adds...))
}

func TestAFullBatchLeavesNoTimerForTheNext(t *testing.T) {
	adds := []time.Duration{1 * ms, 2 * ms, 3 * ms, 8 * ms} // full at 3 ms; its timer was set for 11 ms
	want := []flushed{{3 * ms, []int{0, 1, 2}}, {18 * ms, []int{3}}}
	assert.Equal(t, want, play(t, "fast", 0, adds...))
	assert.Equal(t, want, play(t, "library", 0, adds...))
	assert.Equal(t, []flushed{{3 * ms, []int{0, 1, 2}}, {10 * ms, []int{3}}}, play(t, "slow", 0, adds...))
}

func TestCloseFlushesWhatIsLeft(t *testing.T) {
	for _, name := range names {
		var got []int
		b, err := open(name, 3, time.Hour, func(batch []Item) {
			for _, item := range batch {
				got = append(got, item.Seq)
			}
		})
		require.NoError(t, err)
		for i := range 7 {
			b.Add(Item{Seq: i})
		}
		require.NoError(t, b.Close())
		assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6}, got, name)
	}
}

func TestDelaysAreExactWithATimerOnly(t *testing.T) {
	for _, name := range names {
		synctest.Test(t, func(t *testing.T) {
			delays, err := Delays(t.Context(), name, 500)
			require.NoError(t, err)
			require.Len(t, delays, 500)
			least, most := delays[0], delays[0]
			for _, d := range delays {
				least, most = min(least, d), max(most, d)
			}
			if name == "slow" {
				assert.Less(t, least, MaxDelay/10)
				assert.Greater(t, most, MaxDelay*9/10)
				return
			}
			assert.Equal(t, MaxDelay, least, name)
			assert.Equal(t, MaxDelay, most, name)
		})
	}
}

func TestTheTickerMakesMoreBatchesOfTheSameItems(t *testing.T) {
	size := map[string]float64{}
	for _, name := range names {
		synctest.Test(t, func(t *testing.T) {
			_, items, err := measure(t.Context(), name, 500)
			require.NoError(t, err)
			size[name] = float64(items) / 500
		})
	}
	assert.Less(t, size["slow"], size["fast"])
	assert.Equal(t, size["fast"], size["library"])
}

func TestBadInputGetsAClearError(t *testing.T) {
	_, err := Delays(t.Context(), "quick", 10)
	require.EqualError(t, err, `no variant "quick": there are slow, fast and library`)
	_, err = Delays(t.Context(), "fast", 0)
	require.EqualError(t, err, "0 batches: must be at least 1")
}

func TestDelaysEndsWithItsContext(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	for _, name := range names {
		_, err := Delays(ctx, name, 1_000_000)
		require.ErrorIs(t, err, why, name)
	}
}
