package batcher_test

// Many goroutines at once: conservation, bounds, waiting for room, overload.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// storm is a stress run: producers hand over items in all ways, while the sink fails
// in all ways, and a reader samples the books.
type storm struct {
	producers, each int
	policy          batcher.Overflow
	workers         int
	size            int // of a batch; 0: stormSize
	opts            options
}

const (
	stormSize  = 7
	stormDepth = 2
)

// run plays the storm and checks that every item has exactly the fate that it must have.
func (st storm) run(t *testing.T) {
	total := st.producers * st.each
	size := cmp.Or(st.size, stormSize)
	accepted := make([]bool, total) // each written by the item's producer
	var flushed, failed, dropped counts
	flushed.init(total)
	failed.init(total)
	dropped.init(total)

	var calls atomic.Int64
	flush := func(_ context.Context, items []int) error {
		if len(items) == 0 || len(items) > size {
			assert.Fail(t, "P3", "a batch of %d", len(items))
		}
		switch n := calls.Add(1); n % 11 {
		case 0:
			return errSink
		case 1:
			return batcher.Permanent(errSink)
		case 2:
			panic("boom")
		case 3:
			return batcher.TooLarge(errSink)
		case 4:
			runtime.Goexit()
		case 5:
			flushed.add(items[1:]...)
			return &batcher.PartialError{Errs: map[int]error{0: errSink}}
		}
		flushed.add(items...)
		return nil
	}
	letters := func(_ context.Context, letter batcher.DeadLetter[int]) {
		if errors.Is(letter.Err, batcher.ErrDropped) {
			dropped.add(letter.Items...)
		} else {
			failed.add(letter.Items...)
		}
	}
	b := start(t, flush, append(options{
		batcher.WithMaxSize(size), batcher.WithQueueDepth(stormDepth), batcher.WithWorkers(st.workers),
		batcher.WithOverflow(st.policy), batcher.WithMaxDelay(20 * time.Microsecond),
		batcher.WithRetry(3, constant(0)), batcher.WithDeadLetter(letters),
	}, st.opts...)...)

	over := make(chan struct{})
	var reader, producers sync.WaitGroup
	reader.Go(func() { readBooks(t, b, over, int64(size*(st.workers+stormDepth+1))) })
	items := ints(total)
	for p := range st.producers {
		producers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(p), 1))
			for i := p * st.each; i < (p+1)*st.each; {
				n, err := handOverSome(b, random, items[i:min(i+1+random.IntN(20), (p+1)*st.each)])
				for j := range n {
					accepted[i+j] = true
				}
				i += n
				if err != nil { // the next one is skipped
					assert.Equal(t, batcher.ErrFull, err)
					i++
				}
			}
		})
	}
	producers.Wait()
	require.NoError(t, b.Close(background))
	close(over)
	reader.Wait()

	want := tally{}
	for item := range total {
		fates := flushed.of(item) + failed.of(item) + dropped.of(item)
		if accepted[item] != (fates == 1) || fates > 1 {
			require.Fail(t, "one fate", "item %d, accepted: %v, flushed %d times, failed %d, dropped %d",
				item, accepted[item], flushed.of(item), failed.of(item), dropped.of(item))
		}
		want.Flushed += int64(flushed.of(item))
		want.Failed += int64(failed.of(item))
		want.Dropped += int64(dropped.of(item))
	}
	want.Added = want.Flushed + want.Failed + want.Dropped
	require.Equal(t, want, tallyOf(b.Stats()))
}

// counts counts how often something happened to each item.
type counts struct{ n []atomic.Int32 }

func (c *counts) init(items int) { c.n = make([]atomic.Int32, items) }

func (c *counts) add(items ...int) {
	for _, item := range items {
		c.n[item].Add(1)
	}
}

func (c *counts) of(item int) int { return int(c.n[item].Load()) }

// handOverSome hands over items, or the first of them, by a method chosen at
// random. It returns how many were accepted.
func handOverSome(b *batcher.Batcher[int], random *rand.Rand, items []int) (int, error) {
	var err error
	switch random.IntN(4) {
	case 0:
		return b.AddAll(background, items)
	case 1:
		_, err = b.Submit(background, items[0])
	case 2:
		err = b.TryAdd(items[0])
	default:
		err = b.Add(background, items[0])
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// readBooks samples the books until over is closed: at every moment they balance, no
// counter ever decreases, and no more is held than may be.
func readBooks(t *testing.T, b interface{ Stats() batcher.Stats }, over <-chan struct{}, bound int64) {
	var last batcher.Stats
	for {
		now := b.Stats()
		balanced := now.Added == now.Flushed+now.Failed+now.Dropped+now.Returned+now.Folded+now.Pending
		grown := now.Added >= last.Added && now.Flushed >= last.Flushed && now.Failed >= last.Failed &&
			now.Dropped >= last.Dropped && now.Returned >= last.Returned && now.Folded >= last.Folded &&
			now.Merged >= last.Merged
		if !balanced || !grown || now.Pending < 0 || now.Pending > bound {
			assert.Fail(t, "the books", "%+v after %+v, at most %d held", now, last, bound)
		}
		last = now
		select {
		case <-over:
			return
		default:
			runtime.Gosched()
		}
	}
}

func TestP1_P5_F1_F52_EveryAcceptedItemHasExactlyOneFateAndTheBooksBalanceAllTheWhile(t *testing.T) {
	for _, policy := range []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest} {
		for _, workers := range []int{1, 4} {
			for name, opts := range map[string]options{
				"plain":  nil,
				"bisect": {batcher.WithBisect(), batcher.WithEager()},
				"weight": {batcher.WithMaxWeight(20, func(item int) int { return item % 21 }), batcher.WithoutReuse()},
			} {
				t.Run(fmt.Sprintf("%v, %d workers, %s", policy, workers, name), func(t *testing.T) {
					storm{producers: 6, each: 500, policy: policy, workers: workers, opts: opts}.run(t)
				})
			}
		}
	}
}

func TestF15_TheResultsAreTheSameOnAnyNumberOfProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	for _, procs := range []int{1, 2, 4, 16} {
		t.Run(fmt.Sprint(procs), func(t *testing.T) {
			runtime.GOMAXPROCS(procs)
			opts := options{
				batcher.WithMaxSize(2), batcher.WithQueueDepth(2), batcher.WithMaxDelay(10 * ms),
				batcher.WithRetry(2, constant(sec)),
			}
			play(t, inTurn(fails(errSink), takes(sec)), opts, func(s *stage) {
				s.add(1)
				s.until(10 * ms)
				synctest.Wait()
				s.add(2, 3, 4)
				s.until(30 * ms)
				s.add(5)
				require.Equal(s, batcher.ErrFull, s.b.TryAdd(6))
				require.NoError(s, s.b.Add(background, 6))
				require.Equal(s, 2010*ms, s.now())
				require.NoError(s, s.b.Flush(background))
				s.saw(
					"10ms delay [1]", "1.01s delay [1]", "2.01s size [2 3]", "3.01s size [4 5]", "4.01s flush [6]")
			})
			for _, workers := range []int{1, 4} {
				storm{producers: 4, each: 400, policy: batcher.Block, workers: workers}.run(t)
			}
		})
	}
}

// handOver hands over one item by one of the methods that do it.
func handOver(b *batcher.Batcher[int], how, item int) error {
	switch how % 4 {
	case 0:
		return b.Add(background, item)
	case 1:
		_, err := b.AddAll(background, []int{item})
		return err
	case 2:
		_, err := b.Submit(background, item)
		return err
	default:
		for {
			err := b.TryAdd(item)
			if !errors.Is(err, batcher.ErrFull) {
				return err
			}
			runtime.Gosched()
		}
	}
}

func TestP6_F2_AddRacingCloseIsAcceptedAndDeliveredOrRefusedAndNot(t *testing.T) {
	const rounds, producers = 250, 4
	for round := range rounds {
		random := rand.New(rand.NewPCG(uint64(round), 2))
		var delivered []int // by the one worker; read after Close
		b := start(t, func(_ context.Context, items []int) error {
			delivered = append(delivered, items...)
			return nil
		}, batcher.WithMaxSize(1+random.IntN(4)), batcher.WithQueueDepth(1+random.IntN(2)),
			batcher.WithMaxDelay(time.Duration(1+random.IntN(100_000))))

		accepted, wait := produceUntilClosed(t, b, producers, random.Int64N(50))
		require.NoError(t, b.Close(background))
		got := slices.Clone(delivered)
		wait()
		requireEachInOrder(t, accepted, got)
		require.EqualValues(t, len(got), b.Stats().Flushed)
		requireBalanced(t, b.Stats())
	}
}

// produceUntilClosed starts producers that hand over p<<24|0, p<<24|1, ... until they
// are refused, and returns once so many items were accepted in all. The counts are final
// after wait.
func produceUntilClosed(
	t *testing.T, b *batcher.Batcher[int], producers int, many int64,
) (accepted []int, wait func()) {
	accepted = make([]int, producers)
	var total atomic.Int64
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for {
				if err := handOver(b, p, p<<24|accepted[p]); err != nil {
					assert.Equal(t, batcher.ErrClosed, err)
					return
				}
				accepted[p]++
				total.Add(1)
			}
		})
	}
	for total.Load() < many {
		runtime.Gosched()
	}
	return accepted, wg.Wait
}

// requireEachInOrder checks that the items p<<24|0 to p<<24|accepted[p]-1 of each
// producer p were delivered, each once, each producer's in order.
func requireEachInOrder(t *testing.T, accepted []int, delivered []int) {
	t.Helper()
	next := make([]int, len(accepted))
	for _, item := range delivered {
		p := item >> 24
		if next[p] != item&(1<<24-1) { // not require: there are many
			require.Equal(t, next[p], item&(1<<24-1), "producer %d: an item was lost, doubled or overtaken", p)
		}
		next[p]++
	}
	require.Equal(t, accepted, next, "accepted and not delivered, or the reverse")
}

func TestP6_F2_AddRacingACloseThatGivesUpIsHandedBackOrDeliveredButNeverBoth(t *testing.T) {
	const rounds, producers = 250, 4
	ended := endedContext()
	for round := range rounds {
		random := rand.New(rand.NewPCG(uint64(round), 3))
		var mu sync.Mutex
		tried := make(map[int]bool)
		b := start(t, func(_ context.Context, items []int) error {
			mu.Lock()
			defer mu.Unlock()
			for _, item := range items {
				tried[item] = true
			}
			return nil
		}, batcher.WithMaxSize(1+random.IntN(4)), batcher.WithQueueDepth(1+random.IntN(4)),
			batcher.WithWorkers(1+random.IntN(3)), batcher.WithMaxDelay(time.Duration(1+random.IntN(100_000))))

		accepted, wait := produceUntilClosed(t, b, producers, random.Int64N(50))
		err := b.Close(ended)
		wait()
		stats := b.Stats()
		requireBalanced(t, stats)
		require.Zero(t, stats.Pending)

		var unflushed, unknown []int
		if answer := answerOf(err); answer != nil {
			unflushed, unknown = answer.Unflushed, answer.Unknown
		}
		require.EqualValues(t, len(unflushed)+len(unknown), stats.Returned)
		mu.Lock() // a flush may be running still
		for _, item := range unflushed {
			require.False(t, tried[item], "item %x: unflushed, but the flush function got it", item)
		}
		fates := make(map[int]bool)
		for _, item := range slices.Concat(unflushed, unknown) {
			require.False(t, fates[item], "item %x was handed back twice", item)
			fates[item] = true
		}
		sum := 0
		for p, n := range accepted {
			sum += n
			for i := range n {
				if item := p<<24 | i; !tried[item] && !fates[item] {
					require.Fail(t, "an item is lost", "%x", item)
				}
			}
		}
		mu.Unlock()
		require.EqualValues(t, sum, stats.Added)
	}
}

func TestP6_F5_CloseWakesEveryAddThatWaitsForRoom(t *testing.T) {
	opts := options{batcher.WithMaxSize(1), batcher.WithQueueDepth(1), batcher.WithFlushTimeout(0)}
	play(t, takes(time.Hour), opts, func(s *stage) {
		s.add(1, 2)
		var calls []*call
		for i := range 200 {
			calls = append(calls, s.call(func() error { return handOver(s.b, i%3, i) }))
		}
		synctest.Wait()
		require.Equal(s, 200, s.b.Stats().Waiting)
		s.until(sec)
		c := s.call(func() error { return s.b.Close(background) })
		for _, call := range calls {
			s.returned(call, sec, batcher.ErrClosed)
		}
		s.returned(c, 2*time.Hour, nil)
		require.EqualValues(s, 2, s.b.Stats().Added)
	})
}

// Room comes free, Close is called and contexts end in the same instant: every
// waiting Add returns, and the books say what it returned.
func TestP6_F5_CloseInTheInstantInWhichRoomComesFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			s := open(t, takes(sec), batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
			s.add(1, 2)
			synctest.Wait()
			var calls []*call
			for i := range 10 {
				ctx, cancel := background, context.CancelFunc(func() {})
				if i%2 == 0 {
					ctx, cancel = context.WithDeadline(background, s.opening.Add(sec))
				}
				calls = append(calls, s.call(func() error { defer cancel(); return s.b.Add(ctx, 10+i) }))
			}
			s.until(sec)
			require.NoError(t, s.b.Close(background))
			accepted := int64(2)
			for i, c := range calls {
				<-c.done
				require.Equal(t, sec, c.at)
				switch {
				case c.err == nil:
					accepted++
				case i%2 == 0 && c.err == context.DeadlineExceeded:
				default:
					require.Equal(t, batcher.ErrClosed, c.err)
				}
			}
			require.Equal(t, tally{Added: accepted, Flushed: accepted}, tallyOf(s.b.Stats()))
			s.end()
		}
	})
}

// bounds are configurations for the tests of what may be held.
type bounds struct{ size, depth, workers int }

// held is how many items fit: a batch may be opened while fewer than depth and
// workers allow are queued or taken.
func (c bounds) held() int { return c.size * (c.depth + c.workers) }

func (c bounds) opts() options {
	return options{
		batcher.WithMaxSize(c.size), batcher.WithQueueDepth(c.depth), batcher.WithWorkers(c.workers),
		batcher.WithFlushTimeout(0), batcher.WithMaxDelay(time.Hour),
	}
}

var allBounds = []bounds{
	{1, 1, 1}, {1, 1, 4}, {1, 5, 1}, {3, 1, 1}, {3, 2, 2}, {3, 1, 3}, {10, 4, 2},
}

func TestP5_ExactlyAsMuchIsHeldAsTheQueueAndTheWorkersAllow(t *testing.T) {
	for _, c := range allBounds {
		for _, settled := range []bool{false, true} { // does the answer depend on how fast workers start?
			play(t, takes(time.Minute), c.opts(), func(s *stage) {
				for item := range c.held() {
					require.NoError(s, s.b.TryAdd(item), "%+v: item %d", c, item)
					if settled {
						synctest.Wait()
					}
				}
				require.Equal(s, batcher.ErrFull, s.b.TryAdd(-1), "%+v", c)
				require.EqualValues(s, c.held(), s.b.Stats().Pending)
				s.until(time.Minute)
				synctest.Wait() // each worker has freed a place
				n, err := 0, error(nil)
				for ; err == nil; n++ {
					err = s.b.TryAdd(n)
				}
				require.Equal(s, batcher.ErrFull, err)
				require.Equal(s, c.size*c.workers, n-1, "%+v", c)
				require.EqualValues(s, c.held(), s.b.Stats().Pending)
			})
		}
	}
}

func TestP5_AddAllUnderRejectHandsOverAsMuchAsThereIsRoomFor(t *testing.T) {
	for _, c := range allBounds {
		play(t, takes(time.Minute), append(c.opts(), batcher.WithOverflow(batcher.Reject)), func(s *stage) {
			n, err := s.b.AddAll(background, ints(1000))
			require.Equal(s, c.held(), n)
			require.Equal(s, batcher.ErrFull, err)
			require.Equal(s, batcher.ErrFull, s.b.Add(background, 0))
			_, err = s.b.Submit(background, 0)
			require.Equal(s, batcher.ErrFull, err)
			require.Equal(s, batcher.ErrFull, s.b.AddWait(background, 0))
			require.Equal(s, tally{Added: int64(n), Pending: int64(n)}, tallyOf(s.b.Stats()))
		})
	}
}

func TestP3_P5_WeighedBatchesAreBoundedByTheirWeight(t *testing.T) {
	opts := options{
		batcher.WithMaxWeight(10, func(int) int { return 3 }), batcher.WithQueueDepth(2), batcher.WithWorkers(2),
	}
	play(t, takes(sec), opts, func(s *stage) {
		for item := range 3 * 4 {
			require.NoError(s, s.b.TryAdd(item))
		}
		require.Equal(s, batcher.ErrFull, s.b.TryAdd(0))
		require.NoError(s, s.b.Close(background))
		for _, v := range s.seen() {
			require.Len(s, v.items, 3)
			require.Equal(s, 9, v.info.Weight)
		}
	})
}

func TestP5_ADueBatchThatIsStillFillingTakesItemsAndItsPlaceCounts(t *testing.T) {
	opts := options{batcher.WithMaxSize(10), batcher.WithQueueDepth(1), batcher.WithMaxDelay(10 * ms)}
	play(t, takes(sec), opts, func(s *stage) {
		s.add(0)
		s.until(10 * ms)
		synctest.Wait() // [0] is being flushed
		s.add(1)
		s.until(30 * ms) // and [1] is due
		for item := 2; item <= 10; item++ {
			require.NoError(s, s.b.TryAdd(item))
		}
		require.Equal(s, batcher.ErrFull, s.b.TryAdd(11))
		require.NoError(s, s.b.Close(background))
		s.saw("10ms delay [0]", "1.01s size [1 2 3 4 5 6 7 8 9 10]")
	})
}

func TestP5_AddWaitsForRoomExactlyUntilABatchIsFinished(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(2), batcher.WithQueueDepth(1)}, func(s *stage) {
		s.add(1, 2, 3, 4)
		require.NoError(s, s.b.Add(background, 5))
		require.Equal(s, sec, s.now())
		s.add(6)
		n, err := s.b.AddAll(background, []int{7, 8, 9})
		require.NoError(s, err)
		require.Equal(s, 3, n)
		require.Equal(s, 3*sec, s.now())
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1 2]", "1s size [3 4]", "2s size [5 6]", "3s size [7 8]", "4s close [9]")
	})
}

// A waiter is woken, and in the same instant its context ends: it must pass its
// turn on, or the place that came free is seen by nobody.
func TestP5_F18_AWaiterWhoseContextEndsAsItIsWokenPassesItsTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 500 {
			s := open(t, takes(sec), batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
			s.add(1, 2)
			ctx, cancel := context.WithTimeout(background, sec) // when the first place comes free
			first := s.call(func() error { return s.b.Add(ctx, 3) })
			synctest.Wait()
			second := s.call(func() error { return s.b.Add(background, 4) })
			if <-first.done; first.err == nil {
				s.returned(second, 2*sec, nil)
			} else {
				require.Equal(t, context.DeadlineExceeded, first.err)
				s.returned(second, sec, nil)
			}
			require.Equal(t, sec, first.at)
			cancel()
			s.end()
		}
	})
}

func TestP5_F18_NoPlaceStaysFreeWhileManyWaitersComeAndGo(t *testing.T) {
	const patient, hasty = 12, 30
	synctest.Test(t, func(t *testing.T) {
		for round := range 50 {
			random := rand.New(rand.NewPCG(uint64(round), 4))
			s := open(t, takes(sec), batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
			s.add(1, 2)
			var calls, all []*call
			for i, who := range random.Perm(patient + hasty) {
				ctx, cancel := background, context.CancelFunc(func() {})
				if who >= patient { // gone at one of the instants at which a place comes free
					ctx, cancel = context.WithTimeout(background, time.Duration(1+random.IntN(4))*sec)
				}
				c := s.call(func() error { defer cancel(); return s.b.Add(ctx, 10+i) })
				if all = append(all, c); who < patient {
					calls = append(calls, c)
				}
				synctest.Wait() // they line up in this order
			}
			var at []time.Duration
			for _, c := range all {
				if <-c.done; c.err == nil {
					at = append(at, c.at)
				}
			}
			for _, c := range calls {
				require.NoError(t, c.err)
			}
			slices.Sort(at)
			for i, when := range at {
				require.Equal(t, time.Duration(i+1)*sec, when, "a place came free every second, and was taken at once")
			}
			s.end()
		}
	})
}

// Each producer's fair share is from 66 items to 6666. With one processor, the order
// in which those who were woken run is the same every time, which is the hard case.
func TestP5_EveryProducerMakesProgressThoughAllWaitForRoom(t *testing.T) {
	const producers = 30
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	for _, procs := range []int{1, 2} {
		for _, size := range []int{1, 4, 100} {
			t.Run(fmt.Sprintf("%d processors, batches of %d", procs, size), func(t *testing.T) {
				runtime.GOMAXPROCS(procs)
				opts := options{batcher.WithMaxSize(size), batcher.WithQueueDepth(1)}
				play(t, takes(sec), opts, func(s *stage) {
					ctx, cancel := context.WithTimeout(background, 2000*sec)
					defer cancel()
					var accepted [producers]int
					var calls []*call
					for p := range producers {
						calls = append(calls, s.call(func() error {
							for {
								if err := s.b.Add(ctx, p); err != nil {
									return err
								}
								accepted[p]++
							}
						}))
					}
					for _, c := range calls {
						s.returned(c, 2000*sec, context.DeadlineExceeded)
					}
					total := 0
					for _, n := range accepted {
						total += n
					}
					require.GreaterOrEqual(s, total, size*2000, "room was left unused")
					require.Greater(s, slices.Min(accepted[:]), 10, "a producer starves: %v", accepted)
				})
			})
		}
	}
}

func TestP5_AFreedBatchLetsInAsManyWaitersAsFitIntoIt(t *testing.T) {
	opts := options{batcher.WithMaxSize(4), batcher.WithQueueDepth(1), batcher.WithMaxDelay(time.Hour)}
	play(t, takes(sec), opts, func(s *stage) {
		s.add(ints(8)...)
		var calls []*call
		for item := range 10 {
			calls = append(calls, s.call(func() error { return s.b.Add(background, 8+item) }))
		}
		var at []time.Duration
		for _, c := range calls {
			<-c.done
			require.NoError(s, c.err)
			at = append(at, c.at)
		}
		slices.Sort(at)
		require.Equal(s, []time.Duration{sec, sec, sec, sec, 2 * sec, 2 * sec, 2 * sec, 2 * sec, 3 * sec, 3 * sec}, at)
	})
}

func TestP5_ProducersOfSingleItemsGetInAmongThoseWhoHandOverThousands(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(4), batcher.WithQueueDepth(1)}, func(s *stage) {
		ctx, cancel := context.WithTimeout(background, 1000*sec)
		defer cancel()
		thousands := ints(10_000)
		var single [5]int
		var calls []*call
		for range 10 {
			calls = append(calls, s.call(func() error { _, err := s.b.AddAll(ctx, thousands); return err }))
		}
		for p := range single {
			calls = append(calls, s.call(func() error {
				for {
					if err := s.b.Add(ctx, -1); err != nil {
						return err
					}
					single[p]++
				}
			}))
		}
		for _, c := range calls {
			s.returned(c, 1000*sec, context.DeadlineExceeded)
		}
		for _, n := range single {
			require.Greater(s, n, 10, "a producer starves: %v", single)
		}
	})
}

// Those who wait are not passed over for ever by those who never do.
func TestP5_ProducersThatWaitGetInThoughOthersGrabEveryPlace(t *testing.T) {
	const patient, each = 8, 100
	b := start(t, func(context.Context, []int) error { runtime.Gosched(); return nil },
		batcher.WithMaxSize(2), batcher.WithQueueDepth(1))
	var over atomic.Bool
	var hogs, waiters sync.WaitGroup
	for range 2 {
		hogs.Go(func() {
			for !over.Load() {
				_ = b.TryAdd(0)
				runtime.Gosched()
			}
		})
	}
	for range patient {
		waiters.Go(func() {
			for item := range each {
				assert.NoError(t, b.Add(background, item))
			}
		})
	}
	waiters.Wait()
	over.Store(true)
	hogs.Wait()
	finish(t, b)
}

// "Wake-one with mixed sizes deadlocks."
func TestP5_WaitersOfMixedWeightsAndSizesAllGetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for round := range 30 {
			random := rand.New(rand.NewPCG(uint64(round), 5))
			s := open(t, takes(sec), batcher.WithMaxSize(4), batcher.WithQueueDepth(1),
				batcher.WithMaxWeight(10, func(item int) int { return item }))
			s.add(10, 10)
			var calls []*call
			for range 40 {
				items := make([]int, 1+random.IntN(6))
				for i := range items {
					items[i] = random.IntN(11)
				}
				calls = append(calls, s.call(func() error {
					n, err := s.b.AddAll(background, items)
					return errors.Join(err, wantCount(len(items), n))
				}))
			}
			for _, c := range calls {
				<-c.done
				require.NoError(t, c.err)
			}
			s.end()
		}
	})
}

// "Credit leaked on an error path, blocked for ever": whatever becomes of a batch,
// its place comes free again.
func TestP5_EveryEndOfABatchFreesItsPlace(t *testing.T) {
	goexit := func(context.Context, int, []int) error { runtime.Goexit(); return nil }
	panics := func(context.Context, int, []int) error { panic("boom") }
	handler := func(f func()) batcher.Option {
		return batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) { f() })
	}
	for name, c := range map[string]struct {
		flush role
		opts  options
	}{
		"flushed":              {takes(sec), nil},
		"permanent failure":    {fails(batcher.Permanent(errSink)), nil},
		"retries used up":      {fails(errSink), options{batcher.WithRetry(3, constant(sec))}},
		"panic":                {panics, nil},
		"Goexit":               {goexit, nil},
		"timeout":              {takes(time.Hour), options{batcher.WithFlushTimeout(sec)}},
		"too large":            {fails(batcher.TooLarge(errSink)), nil},
		"bisected":             {panics, options{batcher.WithBisect()}},
		"partial":              {fails(&batcher.PartialError{Errs: map[int]error{0: errSink}}), nil},
		"handler panics":       {fails(errSink), options{handler(func() { panic("boom") })}},
		"handler calls Goexit": {fails(errSink), options{handler(runtime.Goexit)}},
	} {
		t.Run(name, func(t *testing.T) {
			bound := bounds{size: 2, depth: 2, workers: 2}
			flush := func(ctx context.Context, nth int, items []int) error {
				time.Sleep(ms) // nothing comes free while the test fills what there is
				return c.flush(ctx, nth, items)
			}
			play(t, flush, append(bound.opts(), c.opts...), func(s *stage) {
				for round := range 3 {
					for item := range bound.held() {
						require.NoError(s, s.b.TryAdd(item), "round %d: a place was lost", round)
					}
					require.Equal(s, batcher.ErrFull, s.b.TryAdd(0), "round %d: a place was won", round)
					_ = s.b.Flush(background)
					require.Zero(s, s.b.Stats().Pending)
					synctest.Wait()
					require.Zero(s, engineGoroutines(), "a worker is left")
				}
			})
		})
	}
}

// "Silent drops": counter and callback, with the items.
func TestP1_DropNewestCountsTheItemAndHandsItToTheDeadLetterHandler(t *testing.T) {
	var box mailbox[int]
	opts := options{
		batcher.WithMaxSize(2), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropNewest),
		batcher.WithDeadLetter(box.handle), batcher.WithName("events"),
	}
	play(t, takes(sec), opts, func(s *stage) {
		s.add(1, 2, 3, 4, 5)
		require.NoError(s, s.b.TryAdd(6))
		s.submit(7)
		require.ErrorIs(s, s.receipt(7).Wait(endedContext()), batcher.ErrDropped)
		require.ErrorIs(s, s.b.AddWait(background, 8), batcher.ErrDropped)
		n, err := s.b.AddAll(background, []int{9, 10, 11})
		require.NoError(s, err)
		require.Equal(s, 3, n)
		require.Zero(s, s.now(), "nothing waited")
		require.Equal(s, []int{5, 6, 7, 8, 9, 10, 11}, box.items())
		for _, letter := range box.letters {
			require.Equal(s, batcher.ErrDropped, letter.Err)
			require.Zero(s, letter.Attempts)
			require.Equal(s, batcher.Info{Name: "events", Size: len(letter.Items)}, letter.Info)
		}
		require.Equal(s, tally{Added: 11, Dropped: 7, Pending: 4}, tallyOf(s.b.Stats()))
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1 2]", "1s size [3 4]")
	})
}

func TestP1_P2_DropOldestDropsTheOldestBatchThatWaitsAndNoOther(t *testing.T) {
	var box mailbox[int]
	opts := options{
		batcher.WithMaxSize(2), batcher.WithQueueDepth(2), batcher.WithOverflow(batcher.DropOldest),
		batcher.WithDeadLetter(box.handle),
	}
	play(t, takes(sec), opts, func(s *stage) {
		s.submit(1, 2)
		synctest.Wait()
		s.submit(3, 4, 5, 6) // full
		s.submit(7)
		require.Equal(s, []int{3, 4}, box.items())
		s.submit(8, 9, 10, 11)
		require.NoError(s, s.b.TryAdd(12))
		require.Zero(s, s.now(), "nothing waited")
		require.Equal(s, []int{3, 4, 5, 6, 7, 8}, box.items())
		for i, letter := range box.letters {
			require.Equal(s, batcher.ErrDropped, letter.Err)
			require.Zero(s, letter.Attempts)
			require.Equal(s, batcher.ReasonSize, letter.Info.Reason)
			require.Equal(s, 2, letter.Info.Size)
			require.ErrorIs(s, s.receipt(3+2*i).Wait(endedContext()), batcher.ErrDropped)
			require.ErrorIs(s, s.receipt(4+2*i).Wait(endedContext()), batcher.ErrDropped)
		}
		require.Equal(s, tally{Added: 12, Dropped: 6, Pending: 6}, tallyOf(s.b.Stats()))
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [1 2]", "1s size [9 10]", "2s size [11 12]")
	})
}

func TestP3_DropOldestMakesRoomForAnItemThatIsTooHeavyForTheFillingBatch(t *testing.T) {
	var box mailbox[int]
	opts := options{
		batcher.WithMaxWeight(10, func(item int) int { return item }), batcher.WithQueueDepth(1),
		batcher.WithOverflow(batcher.DropOldest), batcher.WithDeadLetter(box.handle), batcher.WithMaxDelay(10 * ms),
	}
	play(t, takes(sec), opts, func(s *stage) {
		s.add(10)
		synctest.Wait()
		s.add(4)
		s.until(20 * ms) // [4] is due, and fills still
		s.add(5)
		require.Empty(s, box.items())
		s.add(8)
		require.Equal(s, []int{4, 5}, box.items())
		require.NoError(s, s.b.Close(background))
		s.saw("0s weight [10]", "1s close [8]")
	})
}
