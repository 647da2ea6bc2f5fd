package main

// The works whose cost is counted.
//
// Each of them yields the processor after a certain number of batches. So on one processor
// (GOMAXPROCS=1) the worker always takes them there and then, and no Add ever finds the queue
// full: the order of events, and with it the count, does not depend on the speed of the machine. It
// depends on how many batches a worker takes before it ends, since a goroutine that has just
// started has to grow its stack.

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// batchSize is the number of items in a batch, where it is not said otherwise.
const batchSize = 1000

// inLine is how many batches are filled before the worker runs: as many as there is room for with
// default options.
const inLine = 3

// work is one way of handing over items.
type work struct {
	name string
	few  int // items of the shorter one of two runs, past the warming up
	many int // items of the longer one: enough to make the difference large against starting up
	do   func(n int) error
}

// works are all that there are.
var works = []work{
	{"lock", 200_000, 1_200_000, addToSlice},
	{"add", 200_000, 1_200_000, filling(add)},
	{"lanes", 200_000, 1_200_000, filling(add, batcher.WithLanes(8))},
	{"addall", 200_000, 2_200_000, filling(addHundreds)},
	{"tryadd", 100_000, 500_000, filling(tryAdd, batcher.WithQueueDepth(100))}, // it cannot wait
	{"submit", 200_000, 1_000_000, filling(submit)},
	{"sharded", 100_000, 500_000, addToSharded},
	{"combiner", 100_000, 500_000, addToCombiner},
	{"one", 2_000, 22_000, addOnes},
	{"wakeup", 1_000, 11_000, addOneByOne},
}

var ctx = context.Background()

func discard(context.Context, []int64) error { return nil }

// put hands so many items over in a plain loop.
type put func(b *batcher.Batcher[int64], items int) error

func add(b *batcher.Batcher[int64], items int) error {
	for i := range items {
		if err := b.Add(ctx, int64(i)); err != nil {
			return err
		}
	}
	return nil
}

func tryAdd(b *batcher.Batcher[int64], items int) error {
	for i := range items {
		if err := b.TryAdd(int64(i)); err != nil {
			return err
		}
	}
	return nil
}

func submit(b *batcher.Batcher[int64], items int) error {
	for i := range items {
		if _, err := b.Submit(ctx, int64(i)); err != nil {
			return err
		}
	}
	return nil
}

// hundred is what addHundreds hands over.
var hundred [100]int64

func addHundreds(b *batcher.Batcher[int64], items int) error {
	for range items / len(hundred) {
		if _, err := b.AddAll(ctx, hundred[:]); err != nil {
			return err
		}
	}
	return nil
}

// filling returns the work of filling batches of the usual size by put.
func filling(put put, opts ...batcher.Option) func(n int) error {
	opts = append([]batcher.Option{batcher.WithMaxSize(batchSize)}, opts...)
	return func(n int) error { return fill(n, inLine*batchSize, put, opts...) }
}

// addOnes makes n batches of one item, a hundred of them for each time that a worker starts.
func addOnes(n int) error {
	return fill(n, 100, add, batcher.WithMaxSize(1), batcher.WithQueueDepth(100))
}

// addOneByOne makes n batches of one item, each of which finds an idle batcher.
func addOneByOne(n int) error { return fill(n, 1, add, batcher.WithMaxSize(1)) }

// fill hands n items over to a batcher by put, yields after so many each time, and closes it.
func fill(n, yield int, put put, opts ...batcher.Option) error {
	b, err := batcher.New(discard, append(opts, batcher.WithMaxDelay(time.Hour))...)
	if err != nil {
		return err
	}
	for n > 0 && err == nil {
		err = put(b, min(n, yield))
		n -= yield
		runtime.Gosched()
	}
	return errors.Join(err, b.Close(ctx))
}

// addToSharded adds n items under 1000 keys in turn.
func addToSharded(n int) error {
	const keys = 1000
	flush := func(context.Context, int, []int64) error { return nil }
	s, err := batcher.NewSharded(flush, batcher.WithMaxSize(100), batcher.WithMaxDelay(time.Hour),
		batcher.WithMaxPending(1<<20), batcher.WithShards(8))
	if err != nil {
		return err
	}
	for i := range n {
		if err := s.Add(ctx, i%keys, int64(i)); err != nil {
			return errors.Join(err, s.Close(ctx))
		}
		if (i+1)%keys == 0 { // with every hundredth, a batch of each key
			runtime.Gosched()
		}
	}
	return s.Close(ctx)
}

// addToCombiner adds n values under 100 keys in turn, with a flush after every 20 000.
func addToCombiner(n int) error {
	const keys, every = 100, 20_000
	sum := func(old, new int64) int64 { return old + new }
	flush := func(context.Context, map[int]int64) error { return nil }
	c, err := batcher.NewCombiner(sum, flush, batcher.WithMaxDelay(time.Hour), batcher.WithShards(8))
	if err != nil {
		return err
	}
	for i := range n {
		err := c.Add(ctx, i%keys, 1)
		if err == nil && (i+1)%every == 0 {
			err = c.Flush(ctx)
		}
		if err != nil {
			return errors.Join(err, c.Close(ctx))
		}
	}
	return c.Close(ctx)
}

// addToSlice adds n items to a slice under a lock and starts over when it is full.
func addToSlice(n int) error {
	l := lockedSlice{items: make([]int64, 0, batchSize)}
	for i := range n {
		l.add(int64(i))
	}
	return nil
}

// lockedSlice is the limit that Add is measured against.
type lockedSlice struct {
	mu    sync.Mutex // guards items
	items []int64
}

// add is not inlined, as Add is not.
//
//go:noinline
func (l *lockedSlice) add(item int64) {
	l.mu.Lock()
	l.items = append(l.items, item)
	if len(l.items) == batchSize {
		l.items = l.items[:0]
	}
	l.mu.Unlock()
}
