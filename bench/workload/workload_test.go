package workload

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

var settings = contender.Settings{MaxSize: 10, MaxDelay: 10 * time.Millisecond, Workers: 2, Queue: 2}

// real makes queues of this library.
func real[T any](s contender.Settings, sink contender.Sink[T]) (contender.Queue[T], error) {
	return batcher.New(batcher.FlushFunc[T](sink), batcher.WithMaxSize(s.MaxSize), batcher.WithMaxDelay(s.MaxDelay),
		batcher.WithWorkers(s.Workers), batcher.WithQueueDepth(s.Queue))
}

// twisted makes queues of this library whose sink gets what twist makes of a batch.
func twisted(twist func([]int64) []int64) Maker[int64] {
	return func(s contender.Settings, sink contender.Sink[int64]) (contender.Queue[int64], error) {
		return real(s, func(ctx context.Context, batch []int64) error { return sink(ctx, twist(batch)) })
	}
}

// refusing refuses some items, and its Close fails.
type refusing struct {
	n   atomic.Int64
	add error
	end error
}

func (r *refusing) Add(context.Context, int64) error {
	if r.n.Add(1) == 5 {
		return r.add
	}
	return nil
}

func (r *refusing) Close(context.Context) error { return r.end }

var numbers = Payload[int64]{"int64", func(n int) int64 { return int64(n) }, func(i int64) int { return int(i) }}

func TestAnHonestQueueIsVerified(t *testing.T) {
	for _, producers := range []int{1, 3, 100} {
		assert.NoError(t, Verify(t.Context(), real[int64], settings, producers, numbers))
	}
}

func TestAQueueThatChangesItsItemsIsFoundOut(t *testing.T) {
	first := func(batch []int64) []int64 { return batch[:1] }
	for name, c := range map[string]struct {
		twist func([]int64) []int64
		fault string
	}{
		"loses":    {func(b []int64) []int64 { return b[1:] }, "lost "},
		"doubles":  {func(b []int64) []int64 { return append(b, first(b)...) }, "delivered "},
		"swaps":    {func(b []int64) []int64 { return append(b[1:], b[1]) }, "came more than once"},
		"invents":  {func(b []int64) []int64 { return append(b[1:], -1) }, "came that nobody sent"},
		"enlarges": {func(b []int64) []int64 { return append(b[1:], 1<<40) }, "came that nobody sent"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := settings
				s.MaxSize = 7 // 148 items: 21 batches of 7, and one of a single item, which "swaps" would fail at
				twist := func(b []int64) []int64 {
					if len(b) < 2 {
						return b
					}
					return c.twist(b)
				}
				assert.ErrorContains(t, Verify(t.Context(), twisted(twist), s, 1, numbers), c.fault)
			})
		})
	}
}

func TestABatchOfTheWrongSizeIsFoundOut(t *testing.T) {
	twice := func(s contender.Settings, sink contender.Sink[int64]) (contender.Queue[int64], error) {
		s.MaxSize *= 2
		return real(s, sink)
	}
	assert.ErrorContains(t, Verify(t.Context(), twice, settings, 1, numbers), "from 1 to 10 were asked for")
	empty := func(s contender.Settings, sink contender.Sink[int64]) (contender.Queue[int64], error) {
		return real(s, func(ctx context.Context, batch []int64) error {
			return errors.Join(sink(ctx, nil), sink(ctx, batch))
		})
	}
	assert.ErrorContains(t, Verify(t.Context(), empty, settings, 1, numbers), "a batch of 0 items")
}

func TestRefusalsAreNamed(t *testing.T) {
	full, broken := errors.New("full"), errors.New("broken")
	for name, c := range map[string]struct {
		create Maker[int64]
		want   error
		text   string
	}{
		"new": {func(contender.Settings, contender.Sink[int64]) (contender.Queue[int64], error) { return nil, broken }, broken, "new: "},
		"add": {func(contender.Settings, contender.Sink[int64]) (contender.Queue[int64], error) {
			return &refusing{add: full, end: broken}, nil
		}, full, "add: "},
		"close": {func(contender.Settings, contender.Sink[int64]) (contender.Queue[int64], error) {
			return &refusing{end: broken}, nil
		}, broken, "close: "},
	} {
		t.Run(name, func(t *testing.T) {
			load := &Throughput[int64]{New: c.create, Settings: settings, Producers: 2, Slice: time.Millisecond}
			slow := &Slow{New: c.create, Settings: settings, Producers: 2, Items: 10}
			_, slowErr := slow.Run(t.Context())
			for _, err := range []error{Verify(t.Context(), c.create, settings, 2, numbers), load.Calibrate(t.Context()), slowErr} {
				assert.ErrorIs(t, err, c.want)
				assert.ErrorContains(t, err, c.text)
			}
		})
	}
}

func TestThroughputIsMeasuredOfAsManyItemsEachTime(t *testing.T) {
	var delivered atomic.Int64
	create := func(s contender.Settings, sink contender.Sink[int64]) (contender.Queue[int64], error) {
		return real(s, func(ctx context.Context, batch []int64) error {
			delivered.Add(int64(len(batch)))
			return sink(ctx, batch)
		})
	}
	load := &Throughput[int64]{New: create, Settings: settings, Producers: 3, Item: 1, Slice: time.Millisecond}
	require.NoError(t, load.Calibrate(t.Context()))
	for range 2 {
		delivered.Store(0)
		got, err := load.Run(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, load.n, delivered.Load())
		assert.Equal(t, load.n, got[0].Iters)
		assert.Equal(t, "ns/item", got[0].Values[0].Unit)
		assert.Positive(t, got[0].Values[0].Value)
	}
}

func TestLostItemsAreNoFigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		load := &Throughput[int64]{New: twisted(func(b []int64) []int64 { return b[1:] }), Settings: settings, Producers: 1, n: 100}
		_, err := load.Run(t.Context())
		assert.ErrorContains(t, err, "lost 10 of 100 items")
	})
}

func TestTheNextRunIsPredictedFromTheLast(t *testing.T) {
	assert.Equal(t, 11_000, grown(1000, time.Millisecond, 10*time.Millisecond))
	assert.Equal(t, 100_000, grown(1000, time.Microsecond, time.Hour), "at most a hundred times as many")
	assert.Equal(t, 2000, grown(1000, 9*time.Millisecond, 10*time.Millisecond), "at least twice")
	assert.Equal(t, mostItems, grown(mostItems-1, 0, time.Second))
}

func TestProducersShareTheItemsEvenly(t *testing.T) {
	for _, c := range [][2]int{{1, 10}, {3, 10}, {10, 3}, {7, 0}, {1000, 1001}} {
		var n atomic.Int64
		crew := newCrew(t.Context(), c[0], c[1], func(context.Context) error { n.Add(1); return nil })
		assert.Zero(t, n.Load(), "they wait for the start")
		require.NoError(t, crew.run())
		assert.EqualValues(t, c[1], n.Load())
	}
}

// TestASlowSinkIsKeptBusy has exact times: 4 batches of 10 at a time, each 2 ms.
func TestASlowSinkIsKeptBusy(t *testing.T) {
	s := contender.Settings{MaxSize: 10, MaxDelay: 10 * time.Millisecond, Workers: 4, Queue: 8}
	items := SlowItems(s, 2*time.Millisecond, 100*time.Millisecond)
	assert.Equal(t, 2000, items)
	for name, create := range map[string]Maker[int64]{"the sink alone": nil, "this library": real[int64]} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				load := &Slow{New: create, Settings: s, Producers: 8, Pause: 2 * time.Millisecond, Items: items}
				got, err := load.Run(t.Context())
				require.NoError(t, err)
				assert.Equal(t, 20_000.0, got[0].Values[0].Value, "items per second: all that the sink can")
				held := got[0].Values[1].Value
				assert.GreaterOrEqual(t, held, 40.0)
				assert.LessOrEqual(t, held, 120.0, "MaxSize x (QueueDepth + Workers)")
			})
		})
	}
}

func TestTheWaitOfTheFirstItemIsTheDelay(t *testing.T) {
	for _, arrivals := range []Arrivals{Dense, Sparse} {
		for name, create := range map[string]Maker[int64]{"a bare timer": nil, "this library": real[int64]} {
			t.Run(arrivals.Name+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := settings
					s.MaxSize = 1000
					load := &Delay{New: create, Settings: s, Arrivals: arrivals, Slice: time.Second, Seed: 1}
					got, err := load.Run(t.Context())
					require.NoError(t, err)
					assert.Greater(t, got[0].Iters, 200)
					for _, v := range got[0].Values {
						assert.Equal(t, 10e6, v.Value, v.Unit)
					}
				})
			})
		}
	}
}

func TestWithoutABatchThereIsNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		load := &Delay{New: real[int64], Settings: settings, Arrivals: Dense, Slice: time.Millisecond}
		_, err := load.Run(t.Context())
		assert.ErrorContains(t, err, "no batch was due")
	})
}

func TestALoneCallerWaitsForTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := LoneOf(real[int64], settings, 100*time.Millisecond).Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 10, got[0].Iters)
		assert.Equal(t, 10e6, got[0].Values[0].Value, "MaxDelay")
		got, err = Bare(0).Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, leastCalls, got[0].Iters)
	})
}

func TestALoneCallerGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := LoneOf(func(contender.Settings, contender.Sink[int64]) (contender.Queue[int64], error) {
			return &refusing{}, nil
		}, settings, time.Second).Run(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestPercentilesAreOfTheValues(t *testing.T) {
	var ds []float64
	for i := range 101 {
		ds = append(ds, float64(100-i))
	}
	var got []float64
	for _, v := range percentiles(ds) {
		got = append(got, v.Value)
	}
	assert.Equal(t, []float64{1, 50, 99, 100}, got)
}

func TestArrivalsMayComeFromManySides(t *testing.T) {
	a := newArrivals(100)
	var over sync.WaitGroup
	for range 10 {
		over.Go(func() {
			for range 5 {
				a.take(2)
			}
		})
	}
	require.NoError(t, a.wait(t.Context()))
	over.Wait()
	a.take(1)
	assert.ErrorContains(t, a.wait(t.Context()), "delivered 101 items, 100 were added")
}
