package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// The simulation and the library are given the same arrivals and the same sink, and have to do the
// same, batch by batch and item by item, to the nanosecond. The library runs in a synctest bubble,
// where time is virtual and exact.
//
// What happens at one and the same instant has an order in the simulation that the library does not
// have. So a plan in which anything coincides is drawn again: times are drawn to the nanosecond,
// which makes that rare.
func TestTheSimulationDoesWhatTheLibraryDoes(t *testing.T) {
	const plans = 2000
	rng := rand.New(rand.NewPCG(20, 25))
	seen := map[string]int{}
	for range plans {
		p := drawPlan(rng)
		sim, err := simulate(p.settings, p.sink(), p.arrivals)
		require.NoError(t, err)
		for ; sim.ties > 0; seen["drawn again"]++ {
			p = drawPlan(rng)
			sim, err = simulate(p.settings, p.sink(), p.arrivals)
			require.NoError(t, err)
		}
		real := runLibrary(t, p)
		if !compare(t, p, sim, real) {
			return
		}
		sim.note(seen)
	}
	t.Log(seen)
	assert.Less(t, seen["drawn again"], plans/20, "coincidences are rare")
	for _, what := range []string{"size", "delay", "eager", "items in line", "items refused", "items dropped",
		"batches dropped", "items out of patience"} {
		assert.Greater(t, seen[what], plans/20, "the plans hardly try %q", what)
	}
}

// note counts what a run has tried.
func (s *simulation) note(seen map[string]int) {
	for _, b := range s.batches {
		if b.dropped {
			seen["batches dropped"]++
		} else {
			seen[b.reason.String()]++
		}
	}
	for _, it := range s.items {
		switch {
		case it.batch == refused && it.in > 0:
			seen["items out of patience"]++
		case it.batch == refused:
			seen["items refused"]++
		case it.batch == dropped:
			seen["items dropped"]++
		case it.in > it.at:
			seen["items in line"]++
		}
	}
}

// plan is one case.
type plan struct {
	settings
	latency  latency
	spread   spread
	stall    stall
	seed     uint64
	arrivals []time.Duration
}

func (p plan) sink() *sink { return newSink(p.latency, p.spread, p.stall, p.seed) }

// drawPlan draws loads from light to far too much, and small settings, so that every bound is met.
func drawPlan(rng *rand.Rand) plan {
	upTo := func(d time.Duration) time.Duration { return 1 + time.Duration(rng.Int64N(int64(d))) }
	p := plan{
		settings: settings{
			size:     1 + rng.IntN(12),
			delay:    upTo(50 * time.Millisecond),
			workers:  1 + rng.IntN(4),
			queue:    1 + rng.IntN(5),
			eager:    rng.IntN(3) == 0,
			overflow: batcher.Overflow(rng.IntN(4)),
		},
		latency: latency{fixed: upTo(60 * time.Millisecond), perItem: upTo(5 * time.Millisecond)},
		spread:  []spread{{}, {kind: exponential}, {lognormal, 0.8}}[rng.IntN(3)],
		seed:    rng.Uint64(),
	}
	if p.overflow == batcher.Block && rng.IntN(2) == 0 {
		p.patience = upTo(100 * time.Millisecond)
	}
	if rng.IntN(4) == 0 {
		p.stall = stall{upTo(time.Second), upTo(time.Second)}
	}
	gap := upTo(20 * time.Millisecond)
	if rng.IntN(2) == 0 {
		gap = upTo(2 * time.Millisecond)
	}
	var at time.Duration
	for range 1 + rng.IntN(150) {
		at += upTo(gap)
		if rng.IntN(20) == 0 {
			at += upTo(300 * time.Millisecond)
		}
		p.arrivals = append(p.arrivals, at)
	}
	return p
}

// library is what the library has done.
type library struct {
	mu      sync.Mutex // guards the fields below
	batches []flushed  // in the order in which their flushes began
	letters [][]int    // batches or items dropped
	adds    []returned // by item

	stats batcher.Stats
}

// flushed is a batch as the flush function saw it.
type flushed struct {
	items                     []int
	reason                    batcher.Reason
	first, sealed, begin, end time.Duration
}

// returned is how and when an Add came back.
type returned struct {
	at  time.Duration
	err error
}

// runLibrary has the library do p.
func runLibrary(t *testing.T, p plan) *library {
	t.Helper()
	l := &library{adds: make([]returned, len(p.arrivals))}
	synctest.Test(t, func(t *testing.T) {
		start, s := time.Now(), p.sink()
		b, err := batcher.New(func(ctx context.Context, batch []int) error {
			info, _ := batcher.InfoFrom(ctx)
			f := flushed{items: slices.Clone(batch), reason: info.Reason, begin: time.Since(start),
				first: info.FirstAdded.Sub(start), sealed: info.Sealed.Sub(start)}
			l.mu.Lock()
			f.end = f.begin + s.time(f.begin, len(batch))
			l.batches = append(l.batches, f)
			l.mu.Unlock()
			time.Sleep(f.end - f.begin)
			return nil
		}, p.options(l)...)
		require.NoError(t, err)
		for i, at := range p.arrivals {
			time.Sleep(at - time.Since(start))
			go func() {
				err := addWithin(b, p.patience, i)
				l.mu.Lock()
				defer l.mu.Unlock()
				l.adds[i] = returned{time.Since(start), err}
			}()
		}
		time.Sleep(time.Hour) // in which all is written: Close has nothing left to seal
		l.stats = b.Stats()
		require.NoError(t, b.Close(context.Background()))
	})
	return l
}

// options are p's, for the library.
func (p plan) options(l *library) []batcher.Option {
	all := []batcher.Option{
		batcher.WithMaxSize(p.size), batcher.WithMaxDelay(p.delay), batcher.WithWorkers(p.workers),
		batcher.WithQueueDepth(p.queue), batcher.WithOverflow(p.overflow), batcher.WithFlushTimeout(0),
		batcher.WithDeadLetter(func(_ context.Context, letter batcher.DeadLetter[int]) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.letters = append(l.letters, slices.Clone(letter.Items))
		}),
	}
	if p.eager {
		all = append(all, batcher.WithEager())
	}
	return all
}

// addWithin adds an item with a context that ends after patience, or never.
func addWithin(b *batcher.Batcher[int], patience time.Duration, item int) error {
	ctx := context.Background()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return b.Add(ctx, item)
}

// compare reports whether the library did what the simulation says.
func compare(t *testing.T, p plan, sim *simulation, real *library) bool {
	t.Helper()
	members := make([][]int, len(sim.batches))
	adds := make([]returned, len(sim.items))
	var letters [][]int
	for i, it := range sim.items {
		adds[i].at = it.in
		switch {
		case it.batch >= 0:
			members[it.batch] = append(members[it.batch], i)
		case it.batch == refused && p.patience > 0:
			adds[i].err = context.DeadlineExceeded
		case it.batch == refused:
			adds[i] = returned{it.at, batcher.ErrFull}
		default:
			adds[i].at = it.at
			letters = append(letters, []int{i})
		}
	}
	var batches []flushed
	for n, b := range sim.batches {
		if b.dropped {
			letters = append(letters, members[n])
			continue
		}
		batches = append(batches, flushed{members[n], b.reason, b.first, b.sealed, b.begin, b.end})
	}
	what := fmt.Sprintf("%+v", p)
	return assert.Equal(t, batches, real.batches, what) && assert.Equal(t, adds, real.adds, what) &&
		assert.ElementsMatch(t, letters, real.letters, what) && compareCounts(t, sim, real.stats)
}

// compareCounts compares the summary with the library's counters.
func compareCounts(t *testing.T, sim *simulation, stats batcher.Stats) bool {
	t.Helper()
	var counts batcher.BatchCounts
	written := 0
	for _, b := range sim.batches {
		counts[b.reason]++ // also of those that were dropped: they were sealed before
		if !b.dropped {
			written += b.size
		}
	}
	return assert.Equal(t, counts, stats.Batches) && assert.EqualValues(t, written, stats.Flushed) &&
		assert.EqualValues(t, sim.measure(0).dropped, stats.Dropped) && assert.Zero(t, stats.Pending)
}

// What is held at most is found again from the times of the items and batches alone.
func TestTheMostHeldFollowsFromTheTimesAndKeepsItsBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		p := drawPlan(rng)
		sim, err := simulate(p.settings, p.sink(), p.arrivals)
		require.NoError(t, err)
		if p.overflow == batcher.DropOldest { // the time of a drop is not recorded
			continue
		}
		assert.Equal(t, mostOf(sim), sim.mostHeld, "%+v", p)
		assert.LessOrEqual(t, sim.mostHeld, p.size*(p.queue+p.workers))
		assert.LessOrEqual(t, sim.most, p.queue+p.workers)
	}
}

// mostOf counts up when items come in and down when batches end.
func mostOf(sim *simulation) (most int) {
	type change struct {
		at time.Duration
		by int
	}
	var changes []change
	for _, it := range sim.items {
		if it.batch >= 0 {
			changes = append(changes, change{it.in, 1}, change{sim.batches[it.batch].end, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), a.by-b.by) // what ends makes room for what comes in
	})
	held := 0
	for _, c := range changes {
		held += c.by
		most = max(most, held)
	}
	return most
}

func TestASinkThatNeverEndsIsRefused(t *testing.T) {
	var arrivals []time.Duration
	for i := range 100_000 {
		arrivals = append(arrivals, time.Duration(i))
	}
	_, err := simulate(settings{size: 1, delay: 1, workers: 1, queue: 1}, newSink(latency{fixed: time.Hour}, spread{}, stall{}, 1), arrivals)
	assert.True(t, errors.Is(err, errForEver))
}
