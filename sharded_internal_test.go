package batcher

// The inside of Sharded: the alarm, and what is left of a key.

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// While a sweep is under way, an Add in a shard that it has seen already arms the alarm for
// a whole MaxDelay. An older batch of another shard must not wait for that.
func TestP4_F21_AnAddInMidSweepDoesNotPutOffOlderBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opening := time.Now()
		var at []time.Duration
		s, err := NewSharded(func(context.Context, int, []int) error {
			at = append(at, time.Since(opening))
			return nil
		}, WithMaxDelay(10*time.Millisecond))
		require.NoError(t, err)
		ctx := context.Background()
		time.Sleep(5 * time.Millisecond)
		require.NoError(t, s.Add(ctx, 1, 1))
		time.Sleep(5*time.Millisecond - 1)

		require.True(t, s.alarm.timer.Stop()) // as if it fired now, for a batch that was cut long ago
		s.alarm.begin()
		require.NoError(t, s.Add(ctx, 2, 2)) // in a shard that was seen
		s.sweepOn()
		time.Sleep(time.Second)
		require.NoError(t, s.Close(ctx))
		assert.Equal(t, []time.Duration{15 * time.Millisecond, 20*time.Millisecond - 1}, at)
	})
}

// The interleaving: Close has stopped the alarm while a sweep was at its end, and is
// about to say that it waits for that; the sweep ends before.
func TestP8_F10_ASweepThatEndsWhileCloseStopsTheAlarmIsNotAwaitedForEver(t *testing.T) {
	s, err := NewSharded(func(context.Context, int, []int) error { return nil })
	require.NoError(t, err)
	for i := range s.shards {
		more, _ := s.sweepShard(&s.shards[i])
		require.False(t, more)
	}
	s.alarm.begin()

	s.lock()
	require.True(t, s.closeLocked())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.endSweep()
	}()
	for range 1000 {
		runtime.Gosched()
	}
	s.engine.mu.Lock()
	s.engine.closing, s.engine.ticking = true, 1
	s.engine.mu.Unlock()
	s.unlock()
	<-ended
	<-s.engine.over
}

func TestF10_TheAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opening := time.Now()
		fired := make(chan time.Duration, 10)
		var a alarm
		a.init(func() { a.begin(); fired <- time.Since(opening); a.end() })
		a.arm(20)
		a.arm(10) // it is set, so for an earlier time, says the caller
		a.armFor(opening.Add(15))
		a.armFor(opening.Add(18))
		assert.Equal(t, time.Duration(15), <-fired)
		a.arm(math.MaxInt64)
		a.armFor(opening.Add(30))
		assert.Equal(t, time.Duration(30), <-fired)

		a.arm(10)
		assert.False(t, a.stop(), "the timer was stopped in time")
		a.arm(1)
		a.armFor(opening)
		time.Sleep(time.Hour)
		assert.Empty(t, fired)
	})
}

// Close awaits the timer's goroutine in whatever state it is, and the last one of two.
func TestP8_F10_StoppingTheAlarmTellsWhetherASweepIsStillToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		var a alarm
		a.init(func() { <-blocked }) // fired, but did not come to begin
		a.arm(1)
		time.Sleep(time.Nanosecond)
		assert.True(t, a.stop())
		a.begin()
		assert.True(t, a.end())
		close(blocked)

		var two alarm
		two.init(func() {})
		two.begin()
		two.arm(time.Hour)
		two.begin()
		assert.False(t, two.end(), "nobody waits")
		two.begin()
		assert.True(t, two.stop())
		assert.False(t, two.end(), "the other one is under way")
		assert.True(t, two.end())
	})
}

// liveSlots returns how many slots there are, and checks what else is kept of keys.
func liveSlots[K comparable, T any](t *testing.T, s *Sharded[K, T]) (n int) {
	t.Helper()
	s.lock()
	defer s.unlock()
	for i := range s.shards {
		sh := &s.shards[i]
		n += len(sh.slots)
		for key, sl := range sh.slots {
			assert.Equal(t, key, sl.key)
			assert.False(t, sl.empty(), "the slot of %v holds nothing", key)
		}
		if len(sh.slots) == 0 {
			assert.Zero(t, sh.filling+sh.waiting+sh.young.len, "shard %d", i)
		}
	}
	if n == 0 {
		assert.Zero(t, s.held.Load(), "items held by nobody")
		assert.Zero(t, s.line.len)
	}
	return n
}

// keyedBubble runs a script on a Sharded whose flush takes a second.
func keyedBubble(t *testing.T, opts []Option, script func(s *Sharded[string, int])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSharded(func(ctx context.Context, key string, _ []int) error {
			time.Sleep(time.Second)
			if key == "bad" {
				return fmt.Errorf("bad")
			}
			return nil
		}, append([]Option{
			WithMaxDelay(time.Hour), WithMaxSize(2), WithDeadLetter(func(context.Context, DeadLetter[Entry[string, int]]) {}),
		}, opts...)...)
		require.NoError(t, err)
		script(s)
		require.NoError(t, s.Close(context.Background()))
	})
}

func TestF39_NothingIsLeftOfAKeyThatHoldsNothing(t *testing.T) {
	ctx := context.Background()
	tight := []Option{WithMaxPending(2), WithMaxPendingPerKey(2), WithMaxSize(5)}
	for name, c := range map[string]struct {
		opts []Option
		play func(s *Sharded[string, int])
	}{
		"flushed": {nil, func(s *Sharded[string, int]) { _, _ = s.AddAll(ctx, "a", []int{1, 2, 3, 4, 5}) }},
		"failed":  {nil, func(s *Sharded[string, int]) { _, _ = s.AddAll(ctx, "bad", []int{1, 2, 3}) }},
		"waited":  {tight, func(s *Sharded[string, int]) { _, _ = s.AddAll(ctx, "a", []int{1, 2, 3, 4, 5}) }},
		"refused": {tight[1:2], func(s *Sharded[string, int]) {
			ended, end := context.WithCancel(ctx)
			end()
			_ = s.Add(ended, "a", 1)
		}},
		"too heavy": {[]Option{WithMaxWeight(1, func(int) int { return 2 })}, func(s *Sharded[string, int]) {
			_ = s.TryAdd("a", 1)
		}},
		"full": {append(tight, WithOverflow(Reject)), func(s *Sharded[string, int]) {
			_, _ = s.AddAll(ctx, "a", []int{1, 2, 3})
			_ = s.Add(ctx, "b", 1)
		}},
		"dropped": {append(tight, WithOverflow(DropNewest)), func(s *Sharded[string, int]) {
			_, _ = s.AddAll(ctx, "a", []int{1, 2, 3})
			_ = s.Add(ctx, "b", 1)
		}},
		"evicted": {append(tight[:2:2], WithOverflow(DropOldest), WithMaxSize(1)), func(s *Sharded[string, int]) {
			for i := range 9 {
				_ = s.Add(ctx, fmt.Sprint(i), i)
				synctest.Wait()
			}
		}},
		"cancelled wait for all": {tight, func(s *Sharded[string, int]) {
			_, _ = s.AddAll(ctx, "a", []int{1, 2})
			short, end := context.WithTimeout(ctx, time.Millisecond)
			defer end()
			_ = s.Add(short, "b", 3)
			assert.Equal(t, 1, liveSlots(t, s))
		}},
		"cancelled wait for the key": {[]Option{WithMaxPendingPerKey(2)}, func(s *Sharded[string, int]) {
			_, _ = s.AddAll(ctx, "a", []int{1, 2})
			short, end := context.WithTimeout(ctx, time.Millisecond)
			defer end()
			_ = s.Add(short, "a", 3)
			assert.Equal(t, 1, liveSlots(t, s))
		}},
		// The key's batch lands while nobody but the one that gives up keeps its slot.
		"wait cancelled as the batch lands": {[]Option{WithMaxPendingPerKey(2)}, func(s *Sharded[string, int]) {
			for range 100 {
				_, _ = s.AddAll(ctx, "a", []int{1, 2})
				short, end := context.WithTimeout(ctx, time.Second)
				_ = s.Add(short, "a", 3)
				end()
				_ = s.Flush(ctx)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			keyedBubble(t, c.opts, func(s *Sharded[string, int]) {
				c.play(s)
				_ = s.Flush(ctx)
				synctest.Wait()
				assert.Zero(t, liveSlots(t, s))
			})
		})
	}
}

func TestF39_TheMapsShrinkWhenMostKeysAreGone(t *testing.T) {
	keyedBubble(t, []Option{WithShards(1), WithWorkers(64)}, func(s *Sharded[string, int]) {
		ctx := context.Background()
		for i := range 4000 {
			require.NoError(t, s.Add(ctx, fmt.Sprint(i), i))
		}
		sh := &s.shards[0]
		require.Equal(t, 4000, sh.most)
		require.NoError(t, s.Flush(ctx))
		synctest.Wait()
		require.Zero(t, liveSlots(t, s))
		assert.Less(t, sh.most, 256)
		require.NoError(t, s.Add(ctx, "a", 1), "the new map is in use")
		require.Equal(t, 1, liveSlots(t, s))
	})
}

func TestF37_BuffersGoToBatchesOfTheirSize(t *testing.T) {
	var p buffers[int64]
	for n, want := range map[int]int{1: 4, 4: 4, 5: 8, 8: 8, 9: 16, 1000: 1024} {
		got := p.get(n)
		assert.Equal(t, want, cap(got), "for %d items", n)
		assert.Empty(t, got)
	}
	var wide buffers[[64]byte]
	assert.Equal(t, 1, cap(wide.get(1)))
	assert.Equal(t, 2, cap(wide.get(2)))
	var none buffers[struct{}]
	assert.GreaterOrEqual(t, cap(none.grow(none.grow(nil, 1), 5)), 5)
	p.put(nil)
}

func TestP10_F35_ABufferIsClearedBeforeItIsKept(t *testing.T) {
	var p buffers[*int]
	one := 1
	for range 100 { // under the race detector, a pool may lose things
		items := append(p.get(5), &one, &one, &one)
		p.put(items)
		assert.Equal(t, []*int{nil, nil, nil}, items[:3])
		grown := p.grow(append(p.get(2), &one, &one, &one, &one), 5)
		assert.Equal(t, []*int{&one, &one, &one, &one}, grown)
		for _, left := range [][]*int{p.get(4), p.get(8)} {
			for _, item := range left[:cap(left)] {
				require.Nil(t, item)
			}
		}
	}
}

// Between finding no room of its key and joining the line there, a producer holds no lock:
// the batcher may be closed meanwhile, room may come, or what it waits for may have begun to fill.
func TestP5_P6_WhatHappensJustBeforeAProducerWaitsForItsKeyIsNotMissed(t *testing.T) {
	keyedBubble(t, []Option{WithMaxPendingPerKey(1)}, func(s *Sharded[string, int]) {
		ctx := context.Background()
		offered := func() (places int, err error) {
			home, _ := s.hasher.shard("a")
			return s.waitForKey(ctx, &offer[string, int]{key: "a", home: home, items: []int{1, 2}})
		}
		require.NoError(t, s.Add(ctx, "a", 1)) // not due for an hour
		began := time.Now()
		places, err := offered()
		require.NoError(t, err)
		assert.Equal(t, 1, places)
		assert.Equal(t, time.Second, time.Since(began), "the flush alone")
		home, _ := s.hasher.shard("a")
		s.giveBack(&offer[string, int]{key: "a", home: home}, 1)
		synctest.Wait()
		assert.Zero(t, liveSlots(t, s))

		require.NoError(t, s.Close(ctx))
		_, err = offered()
		assert.Equal(t, ErrClosed, err)
	})
}
