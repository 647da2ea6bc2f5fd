package batcher_test

// Conservation: whatever fails, the sum of all that a combiner has accepted is the sum of
// what it flushed, gave up, and handed back.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// countStorm is a stress run: producers add to a few keys, while the sink, combine and
// the dead letter handler behave badly in all ways.
type countStorm struct {
	producers, each int
	policy          batcher.Overflow
	workers         int
	abort           bool // Close gives up, with the sink down
	opts            options

	c       *batcher.Combiner[int, int64]
	sink    sync.RWMutex // held for reading in the flush function
	down    bool         // guarded by sink
	calls   atomic.Int64
	adding  atomic.Int64 // producers that are not done
	entries atomic.Int64 // flushed
	buried  atomic.Int64 // entries in dead letters

	// Sums of values.
	accepted, flushed, lost, returned atomic.Int64
}

// combine sums, and now and then panics or leaves.
func (st *countStorm) combine(old, new int64) int64 {
	switch n := st.calls.Add(1); {
	case n%97 == 0:
		panic("boom")
	case n%313 == 0:
		runtime.Goexit()
	}
	return old + new
}

func (st *countStorm) flush(_ context.Context, batch map[int]int64) error {
	st.sink.RLock()
	defer st.sink.RUnlock()
	n := st.calls.Add(1)
	if st.down {
		return errSink
	}
	switch n % 11 {
	case 0, 1:
		return errSink
	case 2:
		return batcher.Permanent(errSink)
	case 3:
		panic("boom")
	case 4:
		return batcher.TooLarge(errSink)
	case 5:
		runtime.Goexit()
	case 6:
		return st.flushSome(batch)
	}
	for _, value := range batch {
		st.took(value)
	}
	clear(batch)
	return nil
}

// flushSome takes every other entry.
func (st *countStorm) flushSome(batch map[int]int64) error {
	err := &batcher.PartialKeyError[int]{Errs: make(map[int]error)}
	for key, value := range batch {
		if len(err.Errs) <= len(batch)/2 {
			err.Errs[key] = []error{errSink, errSink, batcher.Permanent(errSink)}[len(err.Errs)%3]
		} else {
			st.took(value)
		}
	}
	return fmt.Errorf("some: %w", err)
}

func (st *countStorm) took(value int64) {
	st.flushed.Add(value)
	st.entries.Add(1)
}

func (st *countStorm) bury(_ context.Context, letter batcher.DeadLetter[batcher.Entry[int, int64]]) {
	for _, e := range letter.Items {
		st.lost.Add(e.Item)
		st.buried.Add(1)
	}
	if st.calls.Add(1)%7 == 0 && !errors.Is(letter.Err, batcher.ErrDropped) {
		runtime.Goexit()
	}
}

// produce adds n values, and goes on elsewhere when combine has ended its goroutine.
func (st *countStorm) produce(wg *sync.WaitGroup, random *rand.Rand, n int) {
	defer func() {
		if n > 0 {
			wg.Go(func() { st.produce(wg, random, n) })
		} else {
			st.adding.Add(-1)
		}
	}()
	for n > 0 {
		n--
		st.addOne(random)
	}
}

func (st *countStorm) addOne(random *rand.Rand) {
	defer func() { _ = recover() }() // of combine: the value was not accepted
	key, value := random.IntN(20), random.Int64N(1000)+1
	var err error
	if random.IntN(4) == 0 {
		err = st.c.TryAdd(key, value)
	} else {
		err = st.c.Add(background, key, value)
	}
	switch {
	case err == nil:
		st.accepted.Add(value)
	case !errors.Is(err, batcher.ErrFull) && !errors.Is(err, batcher.ErrClosed):
		panic(err)
	}
}

func (st *countStorm) run(t *testing.T) {
	var err error
	st.c, err = batcher.NewCombiner(st.combine, st.flush, append(options{
		batcher.WithMaxSize(7), batcher.WithQueueDepth(2), batcher.WithWorkers(st.workers),
		batcher.WithOverflow(st.policy), batcher.WithMaxDelay(20 * time.Microsecond), batcher.WithShards(4),
		batcher.WithRetry(2, constant(0)), batcher.WithDeadLetter(st.bury), silent(),
	}, st.opts...)...)
	require.NoError(t, err)
	over := make(chan struct{})
	var reader, producers sync.WaitGroup
	reader.Go(func() { readBooks(t, st.c, over, int64(7*(st.workers+2))) })
	st.adding.Store(int64(st.producers))
	for p := range st.producers {
		producers.Go(func() { st.produce(&producers, rand.New(rand.NewPCG(uint64(p), 1)), st.each) })
	}
	if st.abort {
		for st.calls.Load() < int64(st.producers*st.each/4) && st.adding.Load() > 0 {
			runtime.Gosched()
		}
		st.giveUp(t)
		producers.Wait()
		for s := st.c.Stats(); st.buried.Load() != s.Failed+s.Dropped; { // Close waits for no handler
			runtime.Gosched()
		}
	} else {
		producers.Wait()
		require.NoError(t, st.c.Close(background))
	}
	close(over)
	reader.Wait()
	require.Equal(t, st.accepted.Load(), st.flushed.Load()+st.lost.Load()+st.returned.Load(), "the sum of all values")
	s := st.c.Stats()
	requireCountsBalanced(t, s)
	require.Zero(t, s.Pending)
	require.Equal(t, st.entries.Load(), s.Flushed)
}

// giveUp closes the combiner in mid-run. The sink goes down before, so that nothing is
// written whose outcome would not be known.
func (st *countStorm) giveUp(t *testing.T) {
	st.sink.Lock()
	st.down = true
	st.sink.Unlock()
	for st.c.Stats().Flushed != st.entries.Load() {
		runtime.Gosched()
	}
	err := st.c.Close(endedContext())
	var left *batcher.CloseError[batcher.Entry[int, int64]]
	if err == nil {
		return
	}
	require.ErrorAs(t, err, &left)
	for _, e := range append(left.Unflushed, left.Unknown...) {
		st.returned.Add(e.Item)
	}
	require.EqualValues(t, len(left.Unflushed)+len(left.Unknown), st.c.Stats().Returned)
}

func TestP1_F1_F27_TheSumOfAllThatACombinerAcceptedIsConserved(t *testing.T) {
	foldBack := batcher.WithFoldBack()
	for _, policy := range []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest} {
		for _, workers := range []int{1, 4} {
			for name, opts := range map[string]options{
				"plain":             nil,
				"bisect":            {batcher.WithBisect(), batcher.WithEager()},
				"fold back":         {foldBack, batcher.WithRetry(1, constant(0))},
				"fold back, eager":  {foldBack, batcher.WithEager(), batcher.WithoutReuse()},
				"fold back, paused": {foldBack, batcher.WithRetry(1, constant(50*time.Microsecond)), batcher.WithMaxSize(3)},
			} {
				for _, abort := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v, %d workers, %s, abort %v", policy, workers, name, abort), func(t *testing.T) {
						st := countStorm{producers: 6, each: 400, policy: policy, workers: workers, opts: opts, abort: abort}
						st.run(t)
					})
				}
			}
		}
	}
}

func TestP1_P6_F2_AddToACombinerRacesClose(t *testing.T) {
	for range 300 {
		var flushed atomic.Int64
		c, err := batcher.NewCombiner(sum, func(_ context.Context, batch map[int]int) error {
			for _, value := range batch {
				flushed.Add(int64(value))
			}
			return nil
		}, batcher.WithMaxSize(3), batcher.WithShards(2))
		require.NoError(t, err)
		var accepted atomic.Int64
		var wg sync.WaitGroup
		for p := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					if err := c.Add(background, (p+i)%5, 1); err != nil {
						assert.Equal(t, batcher.ErrClosed, err)
						return
					}
					accepted.Add(1)
				}
			})
		}
		runtime.Gosched()
		require.NoError(t, c.Close(background))
		wg.Wait()
		require.Equal(t, accepted.Load(), flushed.Load())
		st := c.Stats()
		require.Equal(t, accepted.Load(), st.Added+st.Merged)
	}
}
