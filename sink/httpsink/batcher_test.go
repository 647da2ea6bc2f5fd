package httpsink_test

// The sink behind a real batcher.

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// A server that takes each key once, fails often, and sometimes after it has taken the batch.
func TestF48_WithTheKeyEachItemIsTakenOnce(t *testing.T) {
	var mu sync.Mutex
	known, taken := make(map[string]bool), make(map[string]int)
	_, url := record(t, func(w http.ResponseWriter, r *request, n int) {
		if n%5 == 0 {
			w.WriteHeader(503)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if key := r.Header.Get("Idempotency-Key"); !known[key] {
			known[key] = true
			for _, line := range strings.Fields(r.body) {
				taken[line]++
			}
		}
		if n%3 == 0 {
			panic(http.ErrAbortHandler) // taken, and the connection is gone
		}
	})
	sink := open[int](t, url, httpsink.WithZstd(1))
	b := batcherTo(t, sink, batcher.WithMaxSize(50), batcher.WithWorkers(4),
		batcher.WithRetry(100, func(int) time.Duration { return 0 }))
	var producers sync.WaitGroup
	for p := range 4 {
		producers.Go(func() {
			for i := range 500 {
				assert.NoError(t, b.Add(withTimeout(t), 1000*p+i))
			}
		})
	}
	producers.Wait()
	require.NoError(t, b.Flush(withTimeout(t)))
	assert.Len(t, taken, 2000)
	for item, times := range taken {
		assert.Equal(t, 1, times, item)
	}
	s := b.Stats()
	assert.EqualValues(t, 2000, s.Flushed)
	assert.EqualValues(t, s.Added, s.Flushed+s.Failed+s.Dropped+s.Returned+s.Pending)
}

func TestABatchThatIsTooLargeIsSplitUntilItFits(t *testing.T) {
	rec := new(recorder)
	small := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 40 {
			w.WriteHeader(413)
			return
		}
		rec.ServeHTTP(w, r)
	})
	letters := batchertest.NewLetters[string]()
	b := batcherTo(t, open[string](t, small), batcher.WithDeadLetter(letters.Handle))
	var items []string
	for i := range 40 {
		items = append(items, strconv.Itoa(i))
	}
	items[17] = strings.Repeat("x", 100) // alone too large
	assert.Error(t, addAll(t, b, items...))
	var want []string
	for i, item := range items {
		if i != 17 {
			want = append(want, strconv.Quote(item))
		}
	}
	assert.Equal(t, want, rec.lines(), "in order")
	require.Len(t, letters.All(), 1)
	assert.Equal(t, []string{items[17]}, letters.All()[0].Items)
}

func TestAServerThatComesBackGetsEverything(t *testing.T) {
	var up atomic.Bool
	rec := new(recorder)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
		rec.ServeHTTP(w, r)
	})
	retries := make(chan error, 1000)
	b := batcherTo(t, open[int](t, url), batcher.WithRetry(1000, func(int) time.Duration { return time.Millisecond }),
		batcher.WithHooks(batcher.Hooks{Retry: func(_ context.Context, _ batcher.Info, _ time.Duration, err error) {
			select {
			case retries <- err:
			default:
			}
		}}))
	receipt, err := b.Submit(t.Context(), 7)
	require.NoError(t, err)
	flushed := make(chan error)
	go func() { flushed <- b.Flush(withTimeout(t)) }()
	for range 3 {
		assertTransient(t, <-retries)
	}
	up.Store(true)
	require.NoError(t, <-flushed)
	require.NoError(t, receipt.Wait(t.Context()))
	assert.Equal(t, []string{"7\n"}, slices.Compact(rec.bodies()))
}

func TestF44_RetryAfterReachesTheBatcher(t *testing.T) {
	waits := make(chan time.Duration, 1)
	_, url := record(t, func(w http.ResponseWriter, _ *request, n int) {
		w.Header().Set("Retry-After", "3000")
		w.WriteHeader(429)
	})
	b, err := batcher.New(open[int](t, url).Write, batcher.WithRetry(2, func(int) time.Duration { return 0 }),
		batcher.WithHooks(batcher.Hooks{
			Retry: func(_ context.Context, _ batcher.Info, wait time.Duration, _ error) { waits <- wait },
		}))
	require.NoError(t, err)
	require.NoError(t, b.Add(t.Context(), 1))
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan error)
	go func() { closed <- b.Close(ctx) }()
	assert.Equal(t, 3000*time.Second, <-waits)
	cancel() // it is the batcher that sleeps, and Close wakes it
	var left *batcher.CloseError[int]
	require.ErrorAs(t, <-closed, &left)
	assert.Equal(t, []int{1}, left.Unknown)
}
