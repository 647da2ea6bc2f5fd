package batcher_test

// Lanes under stress: everything at once, and what must hold of every item.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

var policies = []batcher.Overflow{
	batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest,
}

func TestP1_P5_F1_WithLanesEveryItemHasOneFateAndTheBooksBalanceAllTheWhile(t *testing.T) {
	for _, policy := range policies {
		for _, workers := range []int{1, 4} {
			for _, size := range []int{32, 100} {
				t.Run(fmt.Sprintf("%v, %d workers, size %d", policy, workers, size), func(t *testing.T) {
					storm{
						producers: 8, each: 1000, policy: policy, workers: workers, size: size,
						opts: options{batcher.WithLanes(8)},
					}.run(t)
				})
			}
		}
	}
}

// melee is everything at once on a batcher with lanes, and a Close in the midst of it.
type melee struct {
	b        *batcher.Batcher[int]
	accepted [][]bool // per producer, who writes it
	flushed  counts
	dropped  counts
}

const (
	meleeProducers = 6
	meleeEach      = 1 << 12
)

func newMelee(t *testing.T, random *rand.Rand) *melee {
	m := &melee{accepted: make([][]bool, meleeProducers)}
	m.flushed.init(meleeProducers * meleeEach)
	m.dropped.init(meleeProducers * meleeEach)
	size := []int{32, 33, 64, 100}[random.IntN(4)]
	m.b = start(t, func(ctx context.Context, items []int) error {
		if len(items) == 0 || len(items) > size {
			assert.Fail(t, "P3", "a batch of %d", len(items))
		}
		runtime.Gosched()
		m.flushed.add(items...)
		return nil
	},
		batcher.WithLanes(1<<(1+random.IntN(4))), batcher.WithMaxSize(size),
		batcher.WithQueueDepth(1+random.IntN(3)), batcher.WithWorkers(1+random.IntN(3)),
		batcher.WithOverflow(policies[random.IntN(4)]),
		batcher.WithMaxDelay(time.Duration(1+random.IntN(200_000))),
		batcher.WithDeadLetter(func(_ context.Context, letter batcher.DeadLetter[int]) {
			assert.ErrorIs(t, letter.Err, batcher.ErrDropped)
			m.dropped.add(letter.Items...)
		}))
	return m
}

// produce hands over items until there are no more, or until the batcher is closed.
func (m *melee) produce(t *testing.T, p int, tried *atomic.Int64) {
	random := rand.New(rand.NewPCG(uint64(p), 7))
	m.accepted[p] = make([]bool, meleeEach)
	for i := 0; i < meleeEach; {
		item := p*meleeEach + i
		n, err := handOverSome(m.b, random, from(item, min(1+random.IntN(3), meleeEach-i)))
		if random.IntN(64) == 0 {
			ctx, cancel := context.WithTimeout(background, time.Duration(random.IntN(50_000)))
			err = m.b.Add(ctx, item+n)
			cancel()
			if err == nil {
				n++
			}
		}
		for j := range n {
			m.accepted[p][i+j] = true
		}
		tried.Add(1)
		i += n
		if err == batcher.ErrClosed {
			return
		}
		if err != nil { // no room: the item is left out
			i++
		}
	}
}

// barrier adds an item and flushes, until the batcher is closed: the item has its fate
// when Flush returns nil.
func (m *melee) barrier(t *testing.T, p int) {
	m.accepted[p] = make([]bool, meleeEach)
	for i := range meleeEach {
		item := p*meleeEach + i
		if err := m.b.Add(background, item); err == batcher.ErrClosed {
			return
		} else if err != nil {
			continue
		}
		m.accepted[p][i] = true
		if m.b.Flush(background) != nil {
			continue // dropped, or closed
		}
		if m.flushed.of(item)+m.dropped.of(item) == 0 {
			assert.Fail(t, "P7", "Flush returned before item %d had its fate", item)
		}
	}
}

func TestP1_P6_P7_P8_WithLanesEverythingAtOnceLeavesEachItemOneFate(t *testing.T) {
	for round := range 60 {
		random := rand.New(rand.NewPCG(uint64(round), 8))
		m := newMelee(t, random)
		var tried atomic.Int64
		var callers, reader sync.WaitGroup
		over := make(chan struct{})
		reader.Go(func() { readBooks(t, m.b, over, 1<<20) })
		for p := range meleeProducers {
			callers.Go(func() {
				if p < 2 {
					m.barrier(t, p)
				} else {
					m.produce(t, p, &tried)
				}
			})
		}
		enough := random.Int64N(meleeEach)
		for tried.Load() < enough {
			runtime.Gosched()
		}
		ctx, cancel := background, context.CancelFunc(func() {})
		if round%2 == 1 {
			ctx, cancel = context.WithTimeout(background, time.Duration(random.IntN(100_000)))
		}
		err := m.b.Close(ctx)
		cancel()
		callers.Wait()
		close(over)
		reader.Wait()
		m.check(t, err)
	}
}

// check checks the fate of every item, given the answer of Close.
func (m *melee) check(t *testing.T, err error) {
	t.Helper()
	var unflushed, unknown []int
	if answer := answerOf(err); answer != nil {
		unflushed, unknown = answer.Unflushed, answer.Unknown
	}
	handedBack := make(map[int]int)
	for _, item := range slices.Concat(unflushed, unknown) {
		handedBack[item]++
	}
	stats := m.b.Stats()
	requireBalanced(t, stats)
	require.Zero(t, stats.Pending)
	var added int64
	for p, accepted := range m.accepted {
		for i, was := range accepted {
			item := p*meleeEach + i
			flushed, dropped, back := m.flushed.of(item), m.dropped.of(item), handedBack[item]
			if slices.Contains(unknown, item) {
				flushed = 0 // may have been written
			}
			fates := flushed + dropped + back
			if was != (fates == 1) || fates > 1 {
				require.Fail(t, "one fate", "%d, accepted: %v, flushed %d times, dropped %d, handed back %d",
					item, was, flushed, dropped, back)
			}
			if was {
				added++
			}
		}
	}
	require.Equal(t, added, stats.Added)
	require.EqualValues(t, len(unflushed)+len(unknown), stats.Returned)
}

func TestP6_F2_WithLanesAddRacingCloseIsDeliveredOrRefused(t *testing.T) {
	for round := range 250 {
		random := rand.New(rand.NewPCG(uint64(round), 9))
		var delivered []int // by the one worker; read after Close
		b := start(t, func(_ context.Context, items []int) error {
			delivered = append(delivered, items...)
			return nil
		}, batcher.WithLanes(4), batcher.WithMaxSize(64), batcher.WithQueueDepth(1+random.IntN(2)),
			batcher.WithMaxDelay(time.Duration(1+random.IntN(100_000))))

		accepted, wait := produceUntilClosed(t, b, 4, random.Int64N(200))
		require.NoError(t, b.Close(background))
		got := slices.Clone(delivered)
		wait()
		slices.Sort(got) // lanes keep no order
		requireEachInOrder(t, accepted, got)
		requireBalanced(t, b.Stats())
	}
}

func TestP7_F11_WithLanesFlushFromFiftyGoroutinesThatAddCoversEachOnesItems(t *testing.T) {
	const goroutines, rounds = 50, 40
	for _, opts := range []options{{batcher.WithWorkers(1)}, {batcher.WithWorkers(4)}} {
		var flushed [goroutines * rounds]atomic.Bool
		b := start(t, func(_ context.Context, items []int) error {
			for _, item := range items {
				runtime.Gosched()
				flushed[item].Store(true)
			}
			return nil
		}, append(opts,
			batcher.WithLanes(4), batcher.WithMaxSize(64), batcher.WithMaxDelay(time.Hour))...)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for round := range rounds {
					item := g*rounds + round
					assert.NoError(t, b.Add(background, item))
					assert.NoError(t, b.Flush(background))
					if !flushed[item].Load() {
						assert.Fail(t, "Flush returned before the item was flushed", "%d", item)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, goroutines*rounds, finish(t, b).Flushed)
	}
}

// Nobody adds anything any more, and nobody flushes: what is in the lanes must come out
// by its delay alone, whatever room there was for it.
func TestP4_WithLanesAFloodThatEndsLeavesNothingBehind(t *testing.T) {
	for round := range 100 {
		b := start(t, func(context.Context, []int) error { runtime.Gosched(); return nil },
			batcher.WithLanes(4), batcher.WithMaxSize(64), batcher.WithQueueDepth(1),
			batcher.WithOverflow([]batcher.Overflow{batcher.Block, batcher.Reject}[round%2]),
			batcher.WithMaxDelay(time.Duration(1+round*1000)))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for item := range 500 {
					if err := b.Add(background, item); err != nil {
						assert.Equal(t, batcher.ErrFull, err)
					}
				}
			})
		}
		wg.Wait()
		for b.Stats().Pending > 0 { // hangs if something is forgotten
			runtime.Gosched()
		}
		finish(t, b)
	}
}
