package sleepingretry

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-4c1eaf8a/batcher"
)

// herd has a thousand clients fail at the same moment, and returns how many of them came back, in
// each millisecond of the pause.
func herd(t *testing.T, retry func(Write) error) map[time.Duration]int {
	comeback := make(map[time.Duration]int)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 1000 {
			failed := false
			wg.Go(func() {
				_ = retry(func(context.Context, []int) error {
					if !failed {
						failed = true
						return errDown
					}
					mu.Lock()
					defer mu.Unlock()
					comeback[time.Since(start).Truncate(time.Millisecond)]++
					return nil
				})
			})
		}
		wg.Wait()
	})
	return comeback
}

func busiest(comeback map[time.Duration]int) (at time.Duration, n int) {
	for when, count := range comeback {
		if count > n {
			at, n = when, count
		}
	}
	return at, n
}

func TestAThousandWhoFailedTogetherComeBackTogetherUnlessThereIsJitter(t *testing.T) {
	ctx := context.Background()
	slow := herd(t, func(w Write) error { return Slow(attempts, base, w, batch) })
	assert.Equal(t, map[time.Duration]int{base: 1000}, slow, "all at one moment")

	// Ten in a millisecond are to be expected. The chance of 100 is below 1e-60.
	fast := herd(t, func(w Write) error {
		return Fast(ctx, attempts, batcher.ExponentialBackoff(base, most), w, batch)
	})
	_, n := busiest(fast)
	assert.Less(t, n, 100, "over the whole pause")

	onTop := herd(t, func(w Write) error { return OnTop(ctx, attempts, base, most, w, batch) })
	_, n = busiest(onTop)
	assert.Less(t, n, 100, "over as long a time")
	for when := range onTop {
		assert.GreaterOrEqual(t, when, base, "but not before it")
	}
}
