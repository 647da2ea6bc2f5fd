package batcher_test

// Batches per key under load: nothing stalls, nothing is lost, whatever the budgets.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// budgets are the bounds of a stress run. The smallest ones find the most.
type budgets struct{ all, perKey, size, workers, shards int }

var tinyBudgets = []budgets{
	{1, 0, 1, 1, 1}, {1, 1, 5, 8, 1}, {1, 1, 500, 1, 64}, {2, 1, 500, 8, 8}, {3, 2, 2, 2, 1},
	{7, 3, 4, 8, 3}, {7, 0, 500, 3, 1}, {40, 1, 1, 8, 64}, {5, 5, 5, 1, 2},
}

func (b budgets) options() options {
	return append(pending(b.all, b.perKey), batcher.WithMaxSize(b.size), batcher.WithWorkers(b.workers),
		batcher.WithShards(b.shards), batcher.WithRetry(2, constant(ms)))
}

// check checks the books, and that no more is held than allowed.
func (b budgets) check(t *testing.T, stats batcher.Stats) {
	assert.Equal(t, stats.Added, stats.Flushed+stats.Failed+stats.Dropped+stats.Returned+stats.Pending, "P1: %+v", stats)
	assert.LessOrEqual(t, stats.Pending, int64(b.all), "P5: %+v", stats)
}

// moody is a sink that needs a varying time and sometimes takes a part only.
func moody(ctx context.Context, nth int, items []int) error {
	if nth%5 == 0 {
		return &batcher.PartialError{Errs: map[int]error{0: errSink}}
	}
	return pause(ctx, time.Duration(nth%4)*ms)
}

// MaxDelay is an hour in these scripts: a minute is a stall.
func TestP1_P5_F41_TinyBudgetsNeverStall(t *testing.T) {
	for _, c := range tinyBudgets {
		for _, policy := range []batcher.Overflow{batcher.Block, batcher.DropNewest, batcher.DropOldest} {
			t.Run(fmt.Sprint(c, policy), func(t *testing.T) {
				playKeyed(t, moody, append(c.options(), batcher.WithOverflow(policy)), func(s *keyedStage) {
					var calls []*call
					for p := range 12 {
						calls = append(calls, s.call(func() error { return s.produce(c, p) }))
					}
					for _, c := range calls {
						<-c.done
						require.NoError(s, c.err)
					}
					require.Less(s, s.now(), time.Minute, "somebody waited for MaxDelay")
					require.NoError(s, s.b.Close(background))
					stats := s.b.Stats()
					require.Len(s, s.mail.items(), int(stats.Failed+stats.Dropped))
				})
			})
		}
	}
}

// produce adds items in various ways, some of them under contexts that end soon.
func (s *keyedStage) produce(c budgets, p int) error {
	key := string(rune('a' + p%5))
	for i := range 20 {
		ctx, cancel := context.WithTimeout(background, time.Duration(i%6+1)*ms)
		var err error
		switch {
		case i%7 == 0:
			_, err = s.b.AddAll(ctx, key, ints(i%9))
		case i%3 == 0:
			err = s.b.Add(ctx, key, i)
		case i == 13:
			err = s.b.AddWait(ctx, key, i)
		default:
			err = s.b.Add(background, key, i)
		}
		cancel()
		switch err.(type) {
		case nil, *batcher.FlushError:
		default:
			if err != context.DeadlineExceeded {
				return err
			}
		}
		c.check(s.T, s.b.Stats())
		if i%4 == 0 {
			time.Sleep(ms)
		}
	}
	return nil
}

// The same in real time, where goroutines meet in all ways: each accepted item is
// flushed or dead-lettered once, in the order of its key.
func TestP1_P2_F1_ManyProducersOfManyKeysUnderTinyBounds(t *testing.T) {
	for n, c := range tinyBudgets {
		for _, policy := range []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest} {
			ledger := keyedLedger{next: make(map[int]int), flying: make(map[int]bool)}
			opts := append(c.options(), batcher.WithOverflow(policy), batcher.WithMaxDelay(time.Hour),
				batcher.WithDeadLetter(ledger.bury))
			s := startKeyed(t, ledger.flush, opts...)
			var wg sync.WaitGroup
			for key := range 6 { // one producer for each key, so that the order is known
				wg.Go(func() { ledger.produce(t, s, key, uint64(n)) })
			}
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
					c.check(t, s.Stats())
					runtime.Gosched()
				}
			}
			stats := finishKeyed(t, s)
			assert.Equal(t, ledger.accepted, int(stats.Added), "%v %v", c, policy)
			assert.Equal(t, ledger.flushed, int(stats.Flushed))
			assert.Equal(t, ledger.buried, int(stats.Failed+stats.Dropped))
			assert.Empty(t, ledger.faults)
		}
	}
}

// keyedLedger keeps count of items, which are numbered within their key.
type keyedLedger struct {
	mu                        sync.Mutex
	accepted, flushed, buried int
	next                      map[int]int // the first number that the key's next batch may begin with
	flying                    map[int]bool
	faults                    []string
}

func (l *keyedLedger) flush(_ context.Context, key int, items []int) error {
	l.mu.Lock()
	if l.flying[key] {
		l.faults = append(l.faults, fmt.Sprintf("two batches of key %d in flight", key))
	}
	l.flying[key] = true
	l.mu.Unlock()
	for range rand.IntN(3) {
		runtime.Gosched()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.flying, key)
	for _, item := range items {
		if item < l.next[key] {
			l.faults = append(l.faults, fmt.Sprintf("key %d: %d after %d", key, item, l.next[key]-1))
		}
		l.next[key] = item + 1
	}
	if len(items) > 1 && items[0]%4 == 0 {
		l.flushed += len(items) - 1
		return &batcher.PartialError{Errs: map[int]error{0: batcher.Permanent(errSink)}}
	}
	l.flushed += len(items)
	return nil
}

func (l *keyedLedger) bury(_ context.Context, letter batcher.DeadLetter[batcher.Entry[int, int]]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buried += len(letter.Items)
	for _, e := range letter.Items {
		if letter.Info.Key != any(e.Key) {
			l.faults = append(l.faults, fmt.Sprintf("a letter of key %v has %v", letter.Info.Key, e))
		}
	}
}

// produce hands over numbers in order, each of them until it is accepted or given up.
func (l *keyedLedger) produce(t *testing.T, s *batcher.Sharded[int, int], key int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(key)))
	for number := 0; number < 60; {
		batch := []int{number, number + 1, number + 2}[:random.IntN(3)+1]
		var n int
		var err error
		ctx, cancel := context.WithCancel(background)
		switch random.IntN(5) {
		case 0:
			n, err = s.AddAll(background, key, batch)
		case 1:
			go cancel()
			n, err = s.AddAll(ctx, key, batch)
		case 2:
			if err = s.TryAdd(key, number); err == nil {
				n = 1
			}
		default:
			if err = s.Add(background, key, number); err == nil {
				n = 1
			}
		}
		cancel()
		if err != nil && err != batcher.ErrFull && err != context.Canceled {
			t.Errorf("key %d: %v", key, err)
		}
		l.mu.Lock()
		l.accepted += n
		l.mu.Unlock()
		number += max(n, 1)
	}
}
