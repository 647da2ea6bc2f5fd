package batcher_test

// The benchmarks of batches per key: exercises 10 and 16.

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// keyedAdder is a contender in the benchmarks of keys.
type keyedAdder interface {
	add(ctx context.Context, key int, item int64) error
	close()
	count() int // how many items reached the sink
}

const keyedSize = 100 // items in a batch of one key

// keyedContenders are the implementations under test, the library first.
var keyedContenders = []struct {
	impl string
	make func() keyedAdder
}{
	{"sharded", newKeyed},
	{"onelock", func() keyedAdder { return newLockedMaps(1) }},
	{"locks", func() keyedAdder { return newLockedMaps(4 * runtime.GOMAXPROCS(0)) }},
	{"syncmap", func() keyedAdder { return new(syncMap) }},
}

// keyed is the library, with a sink that counts.
type keyed struct {
	*batcher.Sharded[int, int64]
	flushed atomic.Int64
}

func newKeyed() keyedAdder { return newKeyedWith() }

func newKeyedWith(opts ...batcher.Option) *keyed {
	k := new(keyed)
	s, err := batcher.NewSharded(func(_ context.Context, _ int, batch []int64) error {
		k.flushed.Add(int64(len(batch)))
		return nil
	}, append([]batcher.Option{
		batcher.WithMaxSize(keyedSize), batcher.WithMaxPending(10_000_000), batcher.WithMaxDelay(time.Hour),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	k.Sharded = s
	return k
}

func (k *keyed) add(ctx context.Context, key int, item int64) error { return k.Add(ctx, key, item) }
func (k *keyed) close()                                             { _ = k.Close(context.Background()) }
func (k *keyed) count() int                                         { return int(k.flushed.Load()) }

// lockedMaps is what people write by hand: maps of buffers under one lock (the slow
// side of exercise 10), or under several. It has no delay, no bound, no workers, no Close
// race: nothing but the finding and the appending.
type lockedMaps struct {
	parts   []lockedPart
	flushed atomic.Int64
}

type lockedPart struct {
	mu   sync.Mutex
	bufs map[int][]int64
	_    [64]byte
}

func newLockedMaps(n int) *lockedMaps {
	m := &lockedMaps{parts: make([]lockedPart, n)}
	for i := range m.parts {
		m.parts[i].bufs = make(map[int][]int64)
	}
	return m
}

func (m *lockedMaps) add(_ context.Context, key int, item int64) error {
	p := &m.parts[key%len(m.parts)]
	p.mu.Lock()
	buf := append(p.bufs[key], item)
	if len(buf) == keyedSize {
		m.flushed.Add(keyedSize)
		buf = buf[:0]
	}
	p.bufs[key] = buf
	p.mu.Unlock()
	return nil
}

func (m *lockedMaps) close() {
	for i := range m.parts {
		for _, buf := range m.parts[i].bufs {
			m.flushed.Add(int64(len(buf)))
		}
	}
}
func (m *lockedMaps) count() int { return int(m.flushed.Load()) }

// syncMap is the other thing that people write: a sync.Map of buffers with a lock each.
type syncMap struct {
	bufs    sync.Map // int -> *lockedBuf
	flushed atomic.Int64
}

type lockedBuf struct {
	mu  sync.Mutex
	buf []int64
}

func (m *syncMap) add(_ context.Context, key int, item int64) error {
	v, ok := m.bufs.Load(key)
	if !ok {
		v, _ = m.bufs.LoadOrStore(key, new(lockedBuf))
	}
	b := v.(*lockedBuf)
	b.mu.Lock()
	b.buf = append(b.buf, item)
	if len(b.buf) == keyedSize {
		m.flushed.Add(keyedSize)
		b.buf = b.buf[:0]
	}
	b.mu.Unlock()
	return nil
}

func (m *syncMap) close() {
	m.bufs.Range(func(_, v any) bool {
		m.flushed.Add(int64(len(v.(*lockedBuf).buf)))
		return true
	})
}
func (m *syncMap) count() int { return int(m.flushed.Load()) }

// BenchmarkSharded is the cost of an item end to end with 1000 keys that all producers
// use, and with a million keys, each used by one producer only.
func BenchmarkSharded(b *testing.B) {
	for _, load := range []struct {
		keys int
		own  bool
	}{{keys: 1000}, {keys: 1_000_000, own: true}} {
		for _, producers := range []int{1, 2, 8, 64} {
			for _, c := range keyedContenders {
				b.Run(fmt.Sprintf("keys=%d/producers=%d/impl=%s", load.keys, producers, c.impl), func(b *testing.B) {
					produceKeyed(b, c.make(), load.keys, producers, load.own)
				})
			}
		}
	}
}

// produceKeyed adds b.N items, after one for each key, closes, and checks that none is
// missing. With own, each producer has its own part of the keys.
func produceKeyed(b *testing.B, q keyedAdder, keys, producers int, own bool) {
	ctx := context.Background()
	for key := range keys {
		_ = q.add(ctx, key, 0)
	}
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	share(b.N, producers, func(p, n int) {
		from, size := 0, keys
		if own {
			from, size = p*(keys/producers), keys/producers
		}
		key := uint32(p)*2654435761 + 1
		for i := range n {
			key = key*1664525 + 1013904223 // no order that caches could like
			if err := q.add(ctx, from+int(uint64(key)*uint64(size)>>32), int64(i)); err != nil {
				panic(err)
			}
		}
	})
	b.StopTimer()
	q.close()
	if q.count() != b.N+keys {
		b.Fatalf("%d of %d items reached the sink", q.count(), b.N+keys)
	}
}

// BenchmarkShardedNewKey is the cost of an Add that brings a new key, and the memory
// that a key with one item takes.
func BenchmarkShardedNewKey(b *testing.B) {
	q := newKeyedWith()
	before := heapInUse()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		_ = q.Add(context.Background(), i, 1)
	}
	b.StopTimer()
	b.ReportMetric(float64(heapInUse()-before)/float64(b.N), "B/key")
	q.close()
}
