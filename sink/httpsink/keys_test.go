package httpsink_test

// Idempotency keys.

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

const uuidPattern = `^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`

// keysOf returns the keys of all requests so far.
func keysOf(rec *recorder) (keys []string) {
	for _, r := range rec.all() {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
	}
	return keys
}

// assertDistinct fails unless all keys are UUIDs, each another one.
func assertDistinct(t testing.TB, keys []string) {
	t.Helper()
	for _, key := range keys {
		assert.Regexp(t, uuidPattern, key)
	}
	sorted := slices.Sorted(slices.Values(keys))
	assert.Len(t, slices.Compact(sorted), len(keys))
}

// batcherTo returns a batcher that writes to sink without pauses, and is closed at the end.
func batcherTo[T any](t testing.TB, sink *httpsink.Sink[T], opts ...batcher.Option) *batcher.Batcher[T] {
	t.Helper()
	noPause := func(int) time.Duration { return 0 }
	b, err := batcher.New(sink.Write, append([]batcher.Option{
		batcher.WithMaxDelay(time.Hour), batcher.WithRetry(3, noPause), quiet,
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close(context.Background())) })
	return b
}

// addAll adds the items to b and waits until they have met their fate.
func addAll[T any](t testing.TB, b *batcher.Batcher[T], items ...T) error {
	t.Helper()
	_, err := b.AddAll(withTimeout(t), items)
	require.NoError(t, err)
	return b.Flush(withTimeout(t))
}

func TestWithoutABatcherEachWriteHasAKeyOfItsOwn(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[int](t, url)
	for range 3 {
		require.NoError(t, sink.Write(t.Context(), []int{1}))
	}
	assertDistinct(t, keysOf(rec))
}

func TestAllAttemptsAtAPieceHaveTheSameKeyAndNoOtherHasIt(t *testing.T) {
	rec, url := record(t, func(w http.ResponseWriter, r *request, n int) {
		if n%3 != 0 {
			w.WriteHeader(500)
		}
	})
	b := batcherTo(t, open[int](t, url))
	for range 3 {
		require.NoError(t, addAll(t, b, 1, 2)) // with the same content
	}
	keys := keysOf(rec)
	require.Len(t, keys, 9)
	assertDistinct(t, slices.Compact(slices.Clone(keys)))
	for i := 0; i < 9; i += 3 {
		assert.Equal(t, keys[i], keys[i+1])
		assert.Equal(t, keys[i], keys[i+2])
	}
}

func TestTheHalvesOfASplitBatchHaveKeysOfTheirOwn(t *testing.T) {
	rec, url := record(t, func(w http.ResponseWriter, r *request, n int) {
		if len(r.body) > len("7\n") {
			w.WriteHeader(413)
		}
	})
	b := batcherTo(t, open[int](t, url))
	require.NoError(t, addAll(t, b, 7, 7, 7, 7))
	assert.Len(t, rec.all(), 1+2+4)
	assertDistinct(t, keysOf(rec))
}

func TestAfterAPartialFailureTheRestHasAKeyOfItsOwn(t *testing.T) {
	rec, url := record(t, nil)
	failing := 3
	sink := open[int](t, url, httpsink.WithResults(func(_ *httpsink.Response, n int) error {
		if failing--; failing < 0 {
			return nil
		}
		return &batcher.PartialError{Errs: map[int]error{n - 1: errDown}}
	}))
	b := batcherTo(t, sink, batcher.WithRetry(9, func(int) time.Duration { return 0 }))
	require.NoError(t, addAll(t, b, 1, 2))
	assert.Equal(t, []string{"1\n2\n", "2\n", "2\n", "2\n"}, rec.bodies())
	keys := keysOf(rec)
	assert.NotEqual(t, keys[0], keys[1])
	assert.Equal(t, []string{keys[1], keys[1]}, keys[2:], "these are attempts at the same item")
}

func TestItemsThatAreLeftOutEachTimeDoNotChangeTheKey(t *testing.T) {
	rec, url := record(t, func(w http.ResponseWriter, _ *request, n int) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	noOnes := httpsink.WithJSONEncoder(func(dst []byte, item int) ([]byte, error) {
		if item == 1 {
			return nil, errDown
		}
		return append(dst, '2'), nil
	})
	b := batcherTo(t, open[int](t, url, noOnes))
	require.Error(t, addAll(t, b, 1, 2))
	assert.Equal(t, []string{"2\n", "2\n"}, rec.bodies())
	keys := keysOf(rec)
	assert.Equal(t, keys[0], keys[1])
}

// Else a server that has taken the first request, and could not say so, would take the second for
// it, and the item that was left out would be lost.
func TestAnItemThatIsLeftOutOnlyOnceChangesTheKey(t *testing.T) {
	rec, url := record(t, func(w http.ResponseWriter, _ *request, n int) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	calls := 0
	flaky := httpsink.WithJSONEncoder(func(dst []byte, item int) ([]byte, error) {
		if calls++; calls == 1 {
			return nil, errDown
		}
		return append(dst, '1'), nil
	})
	b := batcherTo(t, open[int](t, url, flaky))
	require.NoError(t, addAll(t, b, 1, 2))
	assert.Equal(t, []string{"1\n", "1\n1\n"}, rec.bodies())
	assertDistinct(t, keysOf(rec))
}

func TestBatchersThatShareASinkHaveDifferentKeys(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[int](t, url)
	var done sync.WaitGroup
	for range 8 {
		b := batcherTo(t, sink)
		done.Go(func() {
			for range 20 {
				assert.NoError(t, addAll(t, b, 1))
			}
		})
	}
	done.Wait()
	assert.Len(t, rec.all(), 8*20)
	assertDistinct(t, keysOf(rec))
}

// keyCatcher is a transport that notes keys and takes everything. It has no sockets, so it can be used
// in a bubble.
type keyCatcher struct {
	mu   sync.Mutex
	keys []string
}

func (c *keyCatcher) RoundTrip(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.keys = append(c.keys, req.Header.Get("Idempotency-Key"))
	c.mu.Unlock()
	buf := make([]byte, 1<<10)
	for {
		if _, err := req.Body.Read(buf); err != nil {
			break
		}
	}
	req.Body.Close()
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
}

// In a bubble the clock stands still, so that times tell nothing apart.
func TestTheClockIsNotNeededToTellBatchesApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catcher := new(keyCatcher)
		sink := open[int](t, "http://localhost", httpsink.WithClient(&http.Client{Transport: catcher}))
		for range 3 {
			b := batcherTo(t, sink)
			require.NoError(t, addAll(t, b, 1))
			require.NoError(t, addAll(t, b, 1))
		}
		require.Len(t, catcher.keys, 6)
		assertDistinct(t, catcher.keys)
	})
}

func TestTwoSinksNeverHaveTheSameKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		catcher := new(keyCatcher)
		for range 3 {
			sink := open[int](t, "http://localhost", httpsink.WithClient(&http.Client{Transport: catcher}))
			require.NoError(t, addAll(t, batcherTo(t, sink), 1))
		}
		require.Len(t, catcher.keys, 3)
		assertDistinct(t, catcher.keys)
	})
}
