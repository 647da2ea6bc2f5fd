package batcher_test

// What the benchmarks measure the batcher against, in the same run.

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// adder is a contender in the throughput benchmarks.
type adder[T any] interface {
	add(ctx context.Context, item T) error
	close()     // returns when all is delivered
	count() int // how many items reached the sink
}

const benchSize = 1000 // items in a batch

// contender is an implementation under test.
type contender[T any] struct {
	impl string
	make func() adder[T]
}

// contenders are the implementations under test, the library first.
func contenders[T any]() []contender[T] {
	return []contender[T]{
		{"batcher", newLibrary[T]},
		{"lock", func() adder[T] { return &lockLimit[T]{} }},
		{"mutex", func() adder[T] { return &mutexSlice[T]{} }},
		{"reservation", newReservation[T]},
		{"channel", newChannelLoop[T]},
	}
}

// laneContenders are the implementations that lanes are compared with, lanes first. The
// batchers have a long queue: with the usual one, a thousand producers would mostly wait
// for room, and that is not what is compared.
func laneContenders[T any]() []contender[T] {
	long := batcher.WithQueueDepth(64)
	return []contender[T]{
		{"lanes", func() adder[T] { return newLanes[T](long) }},
		{"batcher", func() adder[T] { return newConfigured[T](long) }},
		{"lock", func() adder[T] { return &lockLimit[T]{} }},
		{"channel", newChannelLoop[T]},
	}
}

// library is the batcher itself, with a sink that counts.
type library[T any] struct {
	*batcher.Batcher[T]
	flushed int
}

func newLibrary[T any]() adder[T] { return newConfigured[T]() }

// newLanes is the batcher with eight lanes.
func newLanes[T any](opts ...batcher.Option) adder[T] {
	return newConfigured[T](append(opts, batcher.WithLanes(8))...)
}

func newConfigured[T any](opts ...batcher.Option) adder[T] {
	l := &library[T]{}
	b, err := batcher.New(func(_ context.Context, batch []T) error {
		l.flushed += len(batch)
		return nil
	}, append(opts, batcher.WithMaxSize(benchSize))...)
	if err != nil {
		panic(err)
	}
	l.Batcher = b
	return l
}

func (l *library[T]) add(ctx context.Context, item T) error { return l.Add(ctx, item) }
func (l *library[T]) close()                                { _ = l.Close(context.Background()) }
func (l *library[T]) count() int                            { return l.flushed }

// lockLimit is lock, append, unlock, and no batching at all: what any batcher
// with one lock per item must cost at least.
type lockLimit[T any] struct {
	mu    sync.Mutex
	items []T
	total int
}

func (l *lockLimit[T]) add(_ context.Context, item T) error {
	l.mu.Lock()
	l.items = append(l.items, item)
	if len(l.items) == benchSize {
		l.total += benchSize
		l.items = l.items[:0]
	}
	l.mu.Unlock()
	return nil
}
func (l *lockLimit[T]) close()     { l.total += len(l.items) }
func (l *lockLimit[T]) count() int { return l.total }

// mutexSlice is the batcher that people write by hand: a mutex, a slice, and a
// synchronous flush. No context, no delay, no backpressure, no retry, no Close race.
type mutexSlice[T any] struct {
	mu      sync.Mutex
	items   []T
	flushMu sync.Mutex
	flushed int
}

func (m *mutexSlice[T]) add(_ context.Context, item T) error {
	m.mu.Lock()
	m.items = append(m.items, item)
	var full []T
	if len(m.items) >= benchSize {
		full = m.items
		m.items = make([]T, 0, benchSize)
	}
	m.mu.Unlock()
	m.flush(full)
	return nil
}

func (m *mutexSlice[T]) flush(batch []T) {
	if len(batch) > 0 {
		m.flushMu.Lock()
		m.flushed += len(batch)
		m.flushMu.Unlock()
	}
}
func (m *mutexSlice[T]) close()     { m.flush(m.items) }
func (m *mutexSlice[T]) count() int { return m.flushed }

// reservation is the intake that was not taken: a producer reserves a place in a
// preallocated batch with one atomic addition and writes to it without a lock. Whoever
// reserves the last place puts up the next batch; whoever writes last flushes. It has a
// context like the library, but no delay, no weight, no backpressure, no Close race.
type reservation[T any] struct {
	current atomic.Pointer[slab[T]]
	flushed atomic.Int64
}

type slab[T any] struct {
	reserved, written atomic.Int64
	items             [benchSize]T
}

func newReservation[T any]() adder[T] {
	r := &reservation[T]{}
	r.current.Store(new(slab[T]))
	return r
}

func (r *reservation[T]) add(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	for {
		s := r.current.Load()
		place := s.reserved.Add(1) - 1
		if place >= benchSize { // another one is putting up the next
			runtime.Gosched()
			continue
		}
		if place == benchSize-1 {
			r.current.Store(new(slab[T])) // a fresh one: somebody may still reserve in an old one
		}
		s.items[place] = item
		if s.written.Add(1) == benchSize {
			r.flushed.Add(benchSize)
		}
		return nil
	}
}

func (r *reservation[T]) close()     { r.flushed.Add(r.current.Load().written.Load()) }
func (r *reservation[T]) count() int { return int(r.flushed.Load()) }

// channelLoop is the batcher of the textbooks: a channel, a goroutine, a ticker.
type channelLoop[T any] struct {
	in      chan T
	done    chan struct{}
	flushed int
}

func newChannelLoop[T any]() adder[T] {
	c := &channelLoop[T]{in: make(chan T, benchSize), done: make(chan struct{})}
	go c.run()
	return c
}

func (c *channelLoop[T]) run() {
	defer close(c.done)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	buf := make([]T, 0, benchSize)
	for {
		select {
		case item, ok := <-c.in:
			if !ok {
				c.flushed += len(buf)
				return
			}
			if buf = append(buf, item); len(buf) == benchSize {
				c.flushed += len(buf)
				buf = buf[:0]
			}
		case <-ticker.C:
			c.flushed += len(buf)
			buf = buf[:0]
		}
	}
}

func (c *channelLoop[T]) add(ctx context.Context, item T) error {
	select {
	case c.in <- item:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (c *channelLoop[T]) close()     { close(c.in); <-c.done }
func (c *channelLoop[T]) count() int { return c.flushed }

// share divides n among producers, runs them, each on a goroutine, and waits for them.
func share(n, producers int, produce func(p, n int)) {
	var wg sync.WaitGroup
	for p := range producers {
		part := n / producers
		if p < n%producers {
			part++
		}
		wg.Go(func() { produce(p, part) })
	}
	wg.Wait()
}

// produce adds b.N items from as many goroutines, closes, and checks that none is missing.
func produce[T any](b *testing.B, q adder[T], producers int, item T) {
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	share(b.N, producers, func(_, n int) {
		for range n {
			if err := q.add(ctx, item); err != nil {
				panic(err)
			}
		}
	})
	q.close()
	b.StopTimer()
	if q.count() != b.N {
		b.Fatalf("%d of %d items reached the sink", q.count(), b.N)
	}
}
