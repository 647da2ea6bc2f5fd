package batcher_test

// Batches per key.

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestSmokeSharded(t *testing.T) {
	var mu sync.Mutex
	got := map[string][]int{}
	s, err := batcher.NewSharded(func(_ context.Context, key string, batch []int) error {
		mu.Lock()
		defer mu.Unlock()
		got[key] = append(got[key], batch...)
		return nil
	}, batcher.WithMaxSize(7), batcher.WithWorkers(3), batcher.WithMaxPending(50), batcher.WithMaxPendingPerKey(9))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				require.NoError(t, s.Add(context.Background(), string(rune('a'+k)), i))
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.Close(context.Background()))
	for k := range 8 {
		require.Equal(t, ints(1000), got[string(rune('a'+k))])
	}
}
