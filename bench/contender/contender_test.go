package contender_test

import (
	"context"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// arrived counts what a sink gets.
type arrived struct {
	mu      sync.Mutex // guards the fields below
	counts  map[int]int
	largest int
}

func (a *arrived) take(_ context.Context, batch []int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.largest = max(a.largest, len(batch))
	for _, item := range batch {
		a.counts[item]++
	}
	return nil
}

func TestEveryContenderDeliversEachItemOnce(t *testing.T) {
	const n, producers, size = 10_000, 8, 100
	for _, c := range contender.All[int]() {
		t.Run(c.Name, func(t *testing.T) {
			there := arrived{counts: make(map[int]int)}
			q, err := c.New(contender.Settings{MaxSize: size, MaxDelay: 5 * time.Millisecond, Workers: 2, Queue: 4}, there.take)
			require.NoError(t, err)
			var next atomic.Int64
			var group sync.WaitGroup
			for range producers {
				group.Go(func() {
					for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
						assert.NoError(t, q.Add(context.Background(), int(i)))
					}
				})
			}
			group.Wait()
			require.NoError(t, q.Close(context.Background()))
			there.mu.Lock()
			defer there.mu.Unlock()
			require.Len(t, there.counts, n)
			for item, count := range there.counts {
				require.Equal(t, 1, count, item)
			}
			if c.Name != "eapache" {
				assert.LessOrEqual(t, there.largest, size)
			}
		})
	}
}

func TestEachContenderSaysWhoItIs(t *testing.T) {
	seen := make(map[string]bool)
	for i, c := range contender.All[string]() {
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`), c.Name)
		assert.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		assert.Equal(t, c.Kind == contender.Library, c.Module != "", c.Name)
		assert.Equal(t, i < 2, c.Kind == contender.Ours, "ours come first")
	}
}
