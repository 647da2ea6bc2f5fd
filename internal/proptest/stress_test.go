package proptest

// Stress in real time: nothing is asserted about time, everything about fates.

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

	"github.com/seed-4c1eaf8a/batcher"
	"go.uber.org/goleak"
)

// The marks of an item in the ledger.
const (
	markAccepted  = 1 << iota
	markMaybe     // AddWait did not tell
	markSeen      // passed to the flush function
	markFlushed   // the flush function took it
	markDead      // reached the dead letter handler
	markUnflushed // handed back, never tried
	markUnknown   // handed back, outcome not known
)

// closing is how a stress run ends.
type closing int

const (
	closeAfterwards closing = iota // when the producers are done
	closeMidway                    // while they are at work, and drain
	closeGivingUp                  // the same, with a context that ends
	closeStuck                     // the same, and a flush function ignores its context
)

// stress is one stress run.
type stress struct {
	t         *testing.T
	cfg       keyedConfig
	front     stressFront
	end       closing
	producers int
	each      int // items of each producer
	seed      uint64
	b         target

	ledger  []atomic.Uint32
	poke    chan struct{} // ends holds now and then; never blocks the sender
	stuck   chan struct{} // closed when stuck flushes may go on
	sticky  atomic.Bool   // flushes may get stuck
	running atomic.Int32
	buried  atomic.Int64 // items that the dead letter handler has seen
	tried   atomic.Int64 // items that producers have come to
	next    atomic.Int64 // next item for calls from inside flushes
	flying  []atomic.Int32
	last    [][]int // newest item seen of each producer and key; the order of calls guards it

	mu   sync.Mutex // guards the fields below
	kept [][2][]Item
	bad  []string
}

func (s *stress) badf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bad) < 20 {
		s.bad = append(s.bad, fmt.Sprintf(format, args...))
	}
}

// mark sets a mark and complains if one of those in never was there.
func (s *stress) mark(id int, mark, never uint32) {
	if id < 1 || id >= len(s.ledger) {
		s.badf("P10: a scribbled item: %d", id)
		return
	}
	if old := s.ledger[id].Or(mark); old&never != 0 {
		s.badf("P1: item %d gets mark %d, has %#b already", id, mark, old)
	}
}

func runStress(t *testing.T, cfg Config, end closing) {
	t.Helper()
	runStressOn(t, onBatcher, keyedConfig{Config: cfg, Keys: 1}, end)
}

func runStressOn(t *testing.T, front stressFront, cfg keyedConfig, end closing) {
	t.Helper()
	runStressOf(t, front, cfg, end, 12, 500*long, uint64(end))
	goleak.VerifyNone(t)
}

// runStressOf runs so many producers with so many items each.
func runStressOf(t *testing.T, front stressFront, cfg keyedConfig, end closing, producers, each int, seed uint64) {
	t.Helper()
	s := &stress{
		t: t, front: front, cfg: cfg, end: end, producers: producers, each: each, seed: seed,
		poke: make(chan struct{}), stuck: make(chan struct{}), flying: make([]atomic.Int32, cfg.Keys),
	}
	total := (s.producers + 1) * s.each
	s.ledger = make([]atomic.Uint32, total+1)
	s.last = make([][]int, s.producers+1)
	for p := range s.last {
		s.last[p] = make([]int, cfg.Keys)
	}
	s.next.Store(int64(s.producers * s.each))
	var err error
	if s.b, err = front.open(s); err != nil {
		t.Fatal(err)
	}
	s.run()
	s.audit()
}

// run lets producers, readers and closers loose and waits for their end.
func (s *stress) run() {
	var work, watch sync.WaitGroup
	stop := make(chan struct{})
	watch.Go(func() { s.watch(stop) })
	if s.each > 100 {
		watch.Go(func() { s.collect(stop) })
	}
	for p := range s.producers {
		work.Go(func() { s.produce(p) })
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if s.end != closeAfterwards {
		s.awaitTried(int64(s.producers*s.each) / 2)
		s.sticky.Store(s.end == closeStuck)
	} else {
		work.Wait()
	}
	answers := make(chan error, 3)
	for range 3 {
		go func() { answers <- s.b.Close(ctx) }()
	}
	if s.end == closeGivingUp || s.end == closeStuck {
		_ = s.b.Stats()
		cancel(errors.New("that was long enough"))
	}
	first := <-answers
	for range 2 {
		if other := <-answers; other != first {
			s.badf("P8: two Close calls answered %v and %v", first, other)
		}
	}
	close(s.stuck)
	work.Wait()
	close(stop)
	watch.Wait()
	cancel(nil)
	s.closed(first)
	if again := s.b.Close(context.Background()); again != first {
		s.badf("P8: a later Close answered %v, not %v", again, first)
	}
}

// awaitTried returns when so many items have been tried to be added.
func (s *stress) awaitTried(n int64) {
	for s.tried.Load() < n {
		runtime.Gosched()
	}
}

// watch checks the identity all the while.
func (s *stress) watch(stop chan struct{}) {
	var l batcher.Stats
	for {
		select {
		case <-stop:
			return
		default:
		}
		n := s.b.Stats()
		switch {
		case !conserved(n):
			s.badf("P1: the identity does not hold: %+v", n)
		case n.Added < l.Added || n.Flushed < l.Flushed || n.Failed < l.Failed || n.Dropped < l.Dropped || n.Returned < l.Returned || n.Retries < l.Retries:
			s.badf("a counter has decreased: %+v, then %+v", l, n)
		case n.Pending > int64(s.front.most(s.cfg)):
			s.badf("P5: %d items are held", n.Pending)
		case n.Running > s.cfg.Workers || !s.front.sharded && n.QueueDepth+n.Running > s.cfg.Depth+s.cfg.Workers:
			s.badf("P5: %d batches queued, %d running", n.QueueDepth, n.Running)
		}
		l = n
		runtime.Gosched()
	}
}

// collect empties the pools now and then.
func (s *stress) collect(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			runtime.GC()
			for range 1000 {
				runtime.Gosched()
			}
		}
	}
}

// produce is one producer: it uses all methods, with all kinds of contexts.
func (s *stress) produce(p int) {
	rnd := rand.New(rand.NewPCG(uint64(p), s.seed))
	gone := false
	var mine []int
	receipts := make(map[int]batcher.Receipt)
	for seq := 0; seq < s.each; {
		select {
		case s.poke <- struct{}{}:
		default:
		}
		items := s.items(rnd, p, &seq)
		s.tried.Add(int64(len(items)))
		ctx, cancel := s.context(rnd)
		n, err := s.add(ctx, rnd, items, receipts)
		cancel()
		for i, it := range items[:n] {
			s.mark(it.ID, markAccepted, markAccepted)
			mine = append(mine, it.ID)
			if gone {
				s.badf("P6: item %d was accepted after ErrClosed: %d of %d", it.ID, i, n)
			}
		}
		gone = gone || errors.Is(err, batcher.ErrClosed)
		if gone && !errors.Is(err, batcher.ErrClosed) {
			s.badf("P6: %v after ErrClosed", err)
		}
		if rnd.IntN(60) == 0 {
			s.barrier(mine)
		}
	}
	if s.end == closeAfterwards {
		s.barrier(mine)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if s.end != closeAfterwards {
		cancel()
	}
	for id, r := range receipts {
		s.checkReceipt(id, r.Wait(ctx))
	}
	cancel()
}

// items takes the next items of a producer.
func (s *stress) items(rnd *rand.Rand, p int, seq *int) []Item {
	n := 1
	if rnd.IntN(8) == 0 {
		n = 1 + rnd.IntN(3*s.cfg.MaxSize)
	}
	n = min(n, s.each-*seq)
	items := make([]Item, n)
	for i := range items {
		items[i].ID = p*s.each + *seq + 1
		items[i].Weight = rnd.IntN(max(s.cfg.MaxWeight, 1))
		*seq++
	}
	return items
}

func (s *stress) context(rnd *rand.Rand) (context.Context, context.CancelFunc) {
	switch rnd.IntN(12) {
	case 0:
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx, cancel
	case 1, 2:
		return context.WithTimeout(context.Background(), time.Duration(rnd.IntN(300))*time.Microsecond)
	default:
		return context.Background(), func() {}
	}
}

// add hands over items by some method and returns how many were accepted.
func (s *stress) add(ctx context.Context, rnd *rand.Rand, items []Item, receipts map[int]batcher.Receipt) (n int, err error) {
	if len(items) > 1 {
		return s.b.AddAll(ctx, items)
	}
	it := items[0]
	way := rnd.IntN(6)
	if s.front.silent && way > 0 {
		way = 6
	}
	switch way {
	case 0:
		err = s.b.TryAdd(it)
	case 1:
		s.mark(it.ID, markMaybe, 0)
		if err = s.b.AddWait(ctx, it); err == nil || errors.As(err, new(*batcher.FlushError)) {
			s.checkReceipt(it.ID, err)
			return 1, err
		}
		return 0, err
	case 2:
		var r batcher.Receipt
		if r, err = s.b.Submit(ctx, it); err == nil {
			receipts[it.ID] = r
		}
		if err == nil && rnd.IntN(2) == 0 {
			r.Done()
		}
	default:
		err = s.b.Add(ctx, it)
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

func stressConfig() Config {
	return Config{
		MaxSize: 16, MaxDelay: 200 * time.Microsecond, Workers: 1, Depth: 2, Attempts: 3,
		Backoff: 20 * time.Microsecond, Timeout: 500 * time.Microsecond,
	}
}

func TestP1_EveryAcceptedItemHasOneFateUnderStress(t *testing.T) {
	for _, policy := range []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%v, %d workers", policy, workers), func(t *testing.T) {
				cfg := stressConfig()
				cfg.Overflow, cfg.Workers = policy, workers
				cfg.Bisect = workers == 3
				cfg.Keep = workers == 1
				runStress(t, cfg, closeAfterwards)
			})
		}
	}
}

func TestP3_WeighedItemsKeepTheirBoundsUnderStress(t *testing.T) {
	cfg := stressConfig()
	cfg.MaxWeight, cfg.Workers = 40, 2
	runStress(t, cfg, closeAfterwards)
}

func TestP1_BatchesOfOneItemUnderStress(t *testing.T) {
	cfg := stressConfig()
	cfg.MaxSize, cfg.Depth = 1, 1
	runStress(t, cfg, closeMidway)
}

func TestP1_EagerBatchesUnderStress(t *testing.T) {
	cfg := stressConfig()
	cfg.Eager, cfg.Workers, cfg.MaxDelay = true, 2, time.Hour
	runStress(t, cfg, closeMidway)
}

func TestP6_CloseWhileProducersAreAtWorkLosesNothing(t *testing.T) {
	for _, end := range []closing{closeMidway, closeGivingUp, closeStuck} {
		for _, policy := range []batcher.Overflow{batcher.Block, batcher.DropOldest} {
			for _, workers := range []int{1, 3} {
				t.Run(fmt.Sprintf("way %d, %v, %d workers", end, policy, workers), func(t *testing.T) {
					cfg := stressConfig()
					cfg.Workers, cfg.Overflow, cfg.Bisect = workers, policy, workers == 1
					runStress(t, cfg, end)
				})
			}
		}
	}
}

func TestP6_ManySmallRacesOfCloseWithEverything(t *testing.T) {
	for round := range 250 * long {
		rnd := rand.New(rand.NewPCG(uint64(round), 8))
		cfg := stressConfig()
		cfg.MaxSize = 1 + rnd.IntN(6)
		cfg.Workers = 1 + rnd.IntN(3)
		cfg.Depth = 1 + rnd.IntN(2)
		cfg.Overflow = batcher.Overflow(rnd.IntN(4))
		cfg.Eager = rnd.IntN(3) == 0
		cfg.Bisect = rnd.IntN(2) == 0
		if rnd.IntN(3) == 0 {
			cfg.MaxWeight = 5
		}
		runStressOf(t, onBatcher, keyedConfig{Config: cfg, Keys: 1}, closing(1+rnd.IntN(3)), 3+rnd.IntN(4), 25, uint64(round))
		if t.Failed() {
			t.Fatalf("round %d: %+v", round, cfg)
		}
	}
	goleak.VerifyNone(t)
}
