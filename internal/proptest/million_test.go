package proptest

// A million keys at once, and nothing of them left.

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// lagging is a sink that takes a while for each batch, however small it is. It keeps one
// number for each key.
type lagging struct {
	t    *testing.T
	lags int // how many times another goroutine may run before it returns

	mu    sync.Mutex // guards the fields below
	next  []uint8    // the sequence number that is due, by key
	items int
	calls int
	wrong int
	most  int64 // items that were held
	peak  int64 // bytes of the heap
	stats func() batcher.Stats
}

// perMillionKey is how many items each key gets: n is item n%perMillionKey of key
// n/perMillionKey.
const perMillionKey = 4

// round is how many keys a producer goes through before it comes again to the first.
const round = 1000

func (l *lagging) flush(_ context.Context, key int, batch []int) error {
	for range l.lags {
		runtime.Gosched()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	for _, item := range batch {
		if item/perMillionKey != key || item%perMillionKey != int(l.next[key]) {
			if l.wrong++; l.wrong == 1 {
				l.t.Errorf("P2: item %d of key %d, which is at %d", item, key, l.next[key])
			}
		}
		l.next[key]++
		l.items++
	}
	if l.calls%1000 == 0 {
		l.most = max(l.most, l.stats().Pending)
	}
	if l.calls%50_000 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		l.peak = max(l.peak, int64(m.HeapAlloc))
	}
	return nil
}

// liveHeap returns how much is alive. What is in a sync.Pool takes two rounds to go.
func liveHeap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Producers go through a million keys in rounds, so that each key is left and taken up
// again, and forty times as many items pass as may be held. The sink lags, so that they
// wait for room all the time.
func TestF39_AMillionKeysPassThroughInBoundedMemoryAndLeaveNothing(t *testing.T) {
	const producers, maxPending = 2, 100_000
	keys := 1_000_000 * long
	if raced {
		keys /= 4 // the detector makes each item ten times as dear; all million go through without it
	}
	sink := &lagging{t: t, lags: 1, next: make([]uint8, keys)}
	before, goroutines := liveHeap(), runtime.NumGoroutine()
	s, err := batcher.NewSharded(sink.flush, batcher.WithMaxPending(maxPending), batcher.WithMaxSize(perMillionKey),
		batcher.WithMaxDelay(time.Hour), batcher.WithWorkers(2), batcher.WithFlushTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	sink.stats = s.Stats
	pass(t, s, keys, producers)
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if idle := liveHeap() - before; idle > 2<<20 {
		t.Errorf("%d bytes are kept for %d keys that hold nothing", idle, keys)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	if sink.most > maxPending {
		t.Errorf("P5: %d items were held", sink.most)
	}
	if total := keys * perMillionKey; sink.items != total || st.Flushed != int64(total) || st.Pending != 0 {
		t.Errorf("P1: %d of %d items were flushed: %+v", sink.items, total, st)
	}
	left := liveHeap() - before
	if left > 2<<20 {
		t.Errorf("%d bytes are left of %d keys", left, keys)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("P13: %d goroutines, %d before", n, goroutines)
	}
	t.Logf("%d keys, %d calls, at most %d items held in %d bytes, %d bytes left",
		keys, sink.calls, sink.most, sink.peak-before, left)
	runtime.KeepAlive(s)
}

// goRound adds all but the last items of some keys, and then the last one of each.
func goRound(s *batcher.Sharded[int, int], first, end, step int) error {
	var items [perMillionKey - 1]int
	for key := first; key < end; key += step {
		for seq := range items {
			items[seq] = key*perMillionKey + seq
		}
		if _, err := s.AddAll(context.Background(), key, items[:]); err != nil {
			return err
		}
	}
	for key := first; key < end; key += step {
		if err := s.Add(context.Background(), key, key*perMillionKey+len(items)); err != nil {
			return err
		}
	}
	return nil
}

// pass lets producers add all items of all keys, each its own keys.
func pass(t *testing.T, s *batcher.Sharded[int, int], keys, producers int) {
	t.Helper()
	var work sync.WaitGroup
	for p := range producers {
		work.Go(func() {
			for first := p; first < keys; first += producers * round {
				if err := goRound(s, first, min(first+producers*round, keys), producers); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}
