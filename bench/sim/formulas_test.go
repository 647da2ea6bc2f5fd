package main

// The formulas of docs/choosing.md, each held against the simulation within the bounds that are
// stated there.

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// try runs c for about n items.
func try(t *testing.T, c config, n int) figures {
	t.Helper()
	if c.settings.queue == 0 {
		c.settings.queue = 2 * c.workers
	}
	c.length = time.Duration(float64(n) / c.rate * float64(time.Second))
	f, err := c.simulate(c.settings)
	require.NoError(t, err)
	return f
}

// between draws from low to high, on a logarithmic scale.
func between[T int | time.Duration](rng *rand.Rand, low, high T) T {
	return T(float64(low) * math.Pow(float64(high)/float64(low), rng.Float64()))
}

// drawLoad draws a sink, settings, and a rate that is this share of the capacity.
func drawLoad(rng *rand.Rand, use float64) config {
	c := config{
		settings: settings{
			size:    between(rng, 20, 1000),
			workers: 1 + rng.IntN(8),
			delay:   between(rng, 5*time.Millisecond, 500*time.Millisecond),
		},
		latency: latency{between(rng, time.Millisecond, 100*time.Millisecond), between(rng, time.Microsecond, 100*time.Microsecond)},
		seed:    rng.Uint64(),
	}
	c.rate = use * c.capacity()
	return c
}

// seconds as a Duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// fill is how long a batch fills: min(MaxDelay, MaxSize / r).
func (c config) fill() time.Duration { return min(c.delay, seconds(float64(c.size)/c.rate)) }

func TestABatchHoldsWhatComesInMaxDelayAndOneMore(t *testing.T) {
	for _, items := range []float64{0.1, 1, 5, 20, 100, 400} {
		c := config{
			settings: settings{size: 600, delay: 100 * time.Millisecond, workers: 8},
			latency:  latency{fixed: 20 * time.Millisecond},
			rate:     items / 0.1,
			seed:     1,
		}
		f := try(t, c, 100_000)
		assert.InEpsilon(t, 1+items, f.size.mean, 0.02, "%v in MaxDelay", items)
		assert.LessOrEqual(t, f.toBegin.max, c.delay)
		if items >= 20 {
			assert.InEpsilon(t, float64(c.delay)/2, float64(f.toBegin.p50), 0.1, "%v in MaxDelay", items)
		}
	}
}

func TestABatchThatFillsBeforeMaxDelayIsWaitedForHalfOfThat(t *testing.T) {
	for _, size := range []int{50, 200, 1000} {
		c := config{
			settings: settings{size: size, delay: 2 * time.Second, workers: 8},
			latency:  latency{fixed: 10 * time.Millisecond},
			rate:     2000,
			seed:     1,
		}
		f := try(t, c, 200_000)
		assert.Equal(t, float64(size), f.size.mean)
		assert.InEpsilon(t, float64(c.fill())/2, float64(f.toBegin.p50), 0.05, "MaxSize %d", size)
	}
}

func TestFullBatchesAreTheLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		c := drawLoad(rng, 1.5)
		c.eager, c.overflow = rng.IntN(2) == 0, batcher.Reject
		c.settings.queue, c.length = 2*c.workers, seconds(300*float64(c.size)/c.rate)
		arrivals, err := c.times()
		require.NoError(t, err)
		s, err := simulate(c.settings, newSink(c.latency, c.spread, c.stall, c.seed), arrivals)
		require.NoError(t, err)
		written := 0
		for _, b := range s.batches {
			if b.end <= c.length {
				written += b.size
			}
		}
		// At the end there is a batch that is half written for each worker, and under eager the first ones are small.
		assert.InDelta(t, c.capacity()*c.length.Seconds(), written, 2.5*float64(c.workers*c.size), "%+v", c)
	}
}

func TestBatchesGrowByThemselvesWhileWorkersAreBusy(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for n := 0; n < 40; {
		c := drawLoad(rng, 0.2+0.6*rng.Float64())
		if c.eager = rng.IntN(2) == 0; !c.eager {
			c.delay = time.Millisecond
		}
		want := c.rate * c.latency.fixed.Seconds() / (float64(c.workers) - c.rate*c.latency.perItem.Seconds())
		if want < 10 || want > 0.7*float64(c.size) || !c.eager && want < 2*c.rate*c.delay.Seconds() {
			continue // near 1, near MaxSize, or a MaxDelay that counts: there the formula does not
		}
		n++
		assert.InEpsilon(t, want, try(t, c, 50_000).size.mean, 0.1, "%+v", c)
	}
}

// loads is how many are drawn, in the document too.
const loads = 100

// twoThirds are loads of up to two thirds of what the workers can write in full batches.
func twoThirds(try func(c config)) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range loads {
		try(drawLoad(rng, 0.05+(2.0/3-0.05)*rng.Float64()))
	}
}

func TestWithAThirdInReserveNothingWaitsForRoomNorLong(t *testing.T) {
	twoThirds(func(c config) {
		f := try(t, c, 20_000)
		full := c.latency.of(c.size)
		assert.Zero(t, f.waited, "%+v", c)
		assert.LessOrEqual(t, f.toEnd.max, c.delay+2*full, "%+v", c)
		fill := min(c.delay, time.Duration(float64(c.size)/c.rate*(1+2/math.Sqrt(float64(c.size)))*float64(time.Second)))
		assert.LessOrEqual(t, f.toBegin.p99, fill+full, "%+v", c)
	})
}

func TestWithAThirdInReserveFourWorkersEvenOutASinkThatVaries(t *testing.T) {
	twoThirds(func(c config) {
		c.workers, c.spread = max(4, c.workers), spread{lognormal, 0.5}
		f := try(t, c, 20_000)
		assert.LessOrEqual(t, f.share(f.waited), 0.001, "%+v", c)
		assert.LessOrEqual(t, f.toEnd.p99, c.delay+5*c.latency.of(c.size), "%+v", c)
	})
}

func TestAQueueThatIsFullIsLeftBehindInTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for range 1000 {
		p := drawPlan(rng)
		p.spread, p.stall = spread{}, stall{}
		sim, err := simulate(p.settings, p.sink(), p.arrivals)
		require.NoError(t, err)
		rounds := (p.queue+p.workers-1)/p.workers + 1
		limit := p.delay + time.Duration(rounds)*p.latency.of(p.size)
		for _, it := range sim.items {
			if it.batch >= 0 && !sim.batches[it.batch].dropped {
				assert.LessOrEqual(t, sim.batches[it.batch].end-it.in, limit, "%+v", p)
			}
		}
	}
}

// ample is the QueueDepth that would have been enough.
func ample(t *testing.T, c config, n int) int {
	t.Helper()
	c.settings.queue = maxQueue
	return try(t, c, n).depth
}

func TestAStallIsBridgedByAQueueOfWhatComesMeanwhile(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for tried := 0; tried < 30; {
		c := drawLoad(rng, 0.2+0.4*rng.Float64())
		c.stall = stall{10 * c.delay, between(rng, 10, 100*time.Nanosecond) * (c.latency.of(c.size) + c.delay)}
		want := math.Ceil(c.rate * (c.stall.length + c.latency.of(c.size)).Seconds() / float64(c.size))
		n := int(c.rate*(c.stall.at+2*c.stall.length).Seconds()) + 1
		if n > 100_000 { // takes long
			continue
		}
		tried++
		got := ample(t, c, n)
		assert.LessOrEqual(t, float64(got), 1.01*want+1, "enough: %+v", c) // Poisson: at times a few more come
		assert.GreaterOrEqual(t, float64(got+c.workers), 0.8*want-3, "not far too much: %+v", c)
	}
}

func TestABurstIsTakenByAQueueOfWhatIsNotWrittenMeanwhile(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for tried := 0; tried < 30; {
		c := drawLoad(rng, 0.2+0.3*rng.Float64())
		full := c.latency.of(c.size)
		on := between(rng, 10, 60*time.Nanosecond) * full
		c.pattern = pattern{bursts, on, 9 * on}
		peak := 10 * c.rate
		want := math.Ceil((peak - c.capacity()) * on.Seconds() / float64(c.size))
		n := int(c.rate * 50 * on.Seconds())
		if n > 100_000 { // takes long
			continue
		}
		tried++
		got := float64(ample(t, c, n))
		assert.InDelta(t, want, got, 2+0.15*want, "%+v", c)
	}
}

func TestTheSizeAndTheWorkersThatAreAdvisedAreTheLeast(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for range 500 {
		c := drawLoad(rng, 0.1+3*rng.Float64())
		n := c.workersFor(c.rate, wantedReserve)
		assert.GreaterOrEqual(t, c.capacityOf(c.size, n)*wantedReserve*1.000001, c.rate)
		assert.Less(t, c.capacityOf(c.size, n-1)*wantedReserve, c.rate)
		if size := c.sizeFor(c.rate); size > 0 {
			assert.GreaterOrEqual(t, c.capacityOf(size, c.workers)*1.000001, c.rate)
			assert.Less(t, c.capacityOf(size-1, c.workers), c.rate)
		} else {
			assert.Less(t, c.capacityOf(maxSize, c.workers), c.rate)
		}
	}
}

// The formulas for keys are held against the library itself, in virtual time.
func TestBatchesOfKeysHoldWhatComesForTheirKey(t *testing.T) {
	const rate, delay, took = 1000.0, 100 * time.Millisecond, 5 * time.Millisecond
	for _, keys := range []int{1, 10, 100, 1000} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				s, err := batcher.NewSharded(func(context.Context, int, []int) error {
					calls.Add(1)
					time.Sleep(took)
					return nil
				}, batcher.WithMaxSize(1000), batcher.WithMaxDelay(delay), batcher.WithWorkers(16))
				require.NoError(t, err)
				rng := rand.New(rand.NewPCG(1, 1))
				items, pending := 0, int64(0)
				start := time.Now()
				for _, at := range (pattern{}).times(rate, 20*time.Second, 1) {
					time.Sleep(at - time.Since(start))
					require.NoError(t, s.Add(context.Background(), rng.IntN(keys), items))
					items++
					pending = max(pending, s.Stats().Pending)
				}
				require.NoError(t, s.Close(context.Background()))
				assert.InEpsilon(t, 1+rate*delay.Seconds()/float64(keys), float64(items)/float64(calls.Load()), 0.03)
				held := rate * (delay + took).Seconds()
				assert.LessOrEqual(t, float64(pending), held+5*math.Sqrt(held), "MaxPending has to hold that")
			})
		})
	}
}

func TestAKeyIsWrittenByOneWorkerAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, took = 100, 10 * time.Millisecond
		s, err := batcher.NewSharded(func(context.Context, int, []int) error {
			time.Sleep(took)
			return nil
		}, batcher.WithMaxSize(size), batcher.WithWorkers(8))
		require.NoError(t, err)
		for i := range 200 * size {
			require.NoError(t, s.Add(context.Background(), 7, i))
		}
		start := time.Now()
		require.NoError(t, s.Flush(context.Background()))
		assert.Equal(t, 200*took, time.Since(start), "as with one worker")
		require.NoError(t, s.Close(context.Background()))
	})
}

// callers brings as many items at once as there are callers, and the next when those are written. It
// returns how long the rounds took.
func callers(t *testing.T, n, rounds int, took time.Duration, opts ...batcher.Option) (all time.Duration, largest int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, err := batcher.New(func(_ context.Context, batch []int) error {
			largest = max(largest, len(batch)) // one worker: one at a time
			time.Sleep(took)
			return nil
		}, opts...)
		require.NoError(t, err)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				for range rounds {
					assert.NoError(t, b.AddWait(context.Background(), i))
				}
			})
		}
		wg.Wait()
		all = time.Since(start)
		require.NoError(t, b.Close(context.Background()))
	})
	return all, largest
}

func TestCallersWhoWaitNeverFillABatchOfMoreThanThemselves(t *testing.T) {
	const n, rounds, delay, took = 20, 50, 100 * time.Millisecond, 10 * time.Millisecond
	all, largest := callers(t, n, rounds, took, batcher.WithMaxSize(100), batcher.WithMaxDelay(delay))
	assert.Equal(t, rounds*(delay+took), all, "n / (MaxDelay + t) items a second")
	assert.Equal(t, n, largest)

	all, _ = callers(t, n, rounds, took, batcher.WithMaxSize(100), batcher.WithEager())
	assert.LessOrEqual(t, all, 2*rounds*took+took, "two flushes for each round at most")

	all, _ = callers(t, n, rounds, took, batcher.WithMaxSize(n), batcher.WithMaxDelay(delay))
	assert.Equal(t, rounds*took, all, "a MaxSize of n does as well, as long as all of them are there")
}
