package batcherdebug

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// mute is a batcher that does not answer while hold is not nil.
type mute struct {
	batcher.Observed
	hold chan struct{}
}

func (m *mute) Stats() batcher.Stats {
	if m.hold != nil {
		<-m.hold
	}
	return m.Observed.Stats()
}

func TestABatcherThatHangsDoesNotTakeTheOthersAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, good)
		hangs := &mute{b, nil}
		p := Handler(b, hangs, b)
		defer p.Close()
		require.NoError(t, b.AddWait(t.Context(), 1))
		assert.EqualValues(t, 1, stats(t, p).Batchers[1].Stats.Added)
		hangs.hold = make(chan struct{})
		require.NoError(t, b.AddWait(t.Context(), 1))
		for i, c := range []struct {
			waited  time.Duration
			state   State
			verdict string
		}{{time.Second, Flowing, ""}, {0, Silent, "no answer for 2s: "}, {0, Silent, "no answer for 3s: "}} {
			time.Sleep(time.Second)
			begun := time.Now()
			s := stats(t, p)
			assert.Equal(t, c.waited, time.Since(begun), "it is waited for once")
			assert.Equal(t, []State{Flowing, c.state, Flowing},
				[]State{s.Batchers[0].State, s.Batchers[1].State, s.Batchers[2].State}, i)
			assert.Contains(t, s.Batchers[1].Verdict, c.verdict)
			assert.EqualValues(t, 1, s.Batchers[1].Stats.Added, "the last known")
			assert.EqualValues(t, 2, s.Batchers[2].Stats.Flushed)
		}
		close(hangs.hold) // it answers now, but nobody asks
		require.NoError(t, b.AddWait(t.Context(), 1))
		for _, flushed := range []int64{2, 3} { // first what it said then
			time.Sleep(time.Second)
			got := stats(t, p).Batchers[1]
			assert.Equal(t, Flowing, got.State)
			assert.Equal(t, flushed, got.Stats.Flushed)
		}
	})
}

// slow takes a while to answer.
type slow struct {
	batcher.Observed
	takes time.Duration
}

func (s *slow) Stats() batcher.Stats { time.Sleep(s.takes); return s.Observed.Stats() }

func TestAnswersThatComeLateAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, good)
		p := Handler(&slow{b, 1500 * time.Millisecond})
		defer p.Close()
		for i, held := range []time.Duration{time.Second, 0, 0, 0, 0} {
			require.NoError(t, b.AddWait(t.Context(), 1))
			begun := time.Now()
			got := stats(t, p).Batchers[0]
			assert.Equal(t, held, time.Since(begun), i)
			if i > 0 {
				assert.NotEqual(t, Silent, got.State, i)
				assert.InDelta(t, i+1, got.Stats.Added, 2, i)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
	})
}

func TestWhoWasLateOnceIsWaitedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, good)
		m := &mute{b, make(chan struct{})}
		p := Handler(m)
		defer p.Close()
		assert.Equal(t, Silent, stats(t, p).Batchers[0].State)
		close(m.hold)
		time.Sleep(time.Hour) // nobody looks
		require.NoError(t, b.AddWait(t.Context(), 1))
		got := stats(t, p).Batchers[0]
		assert.Equal(t, Flowing, got.State, got.Verdict)
		assert.EqualValues(t, 1, got.Stats.Added, "and not what it said then")
	})
}

func TestTheRatesOfOthersAreRightWhenOneHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, hangs := start(t, good), &mute{start(t, good), nil}
		p := Handler(hangs, b)
		defer p.Close()
		ctx, stop := context.WithCancel(t.Context())
		var adding sync.WaitGroup
		adding.Go(func() {
			time.Sleep(5 * time.Millisecond)
			for ctx.Err() == nil {
				assert.NoError(t, b.Add(context.Background(), 1))
				time.Sleep(10 * time.Millisecond) // 100 a second
			}
		})
		ticks := time.NewTicker(time.Second)
		defer ticks.Stop()
		last := stats(t, p).Batchers[1].Stats
		for i := range 8 {
			<-ticks.C
			if i == 3 {
				hangs.hold = make(chan struct{})
			}
			s := stats(t, p).Batchers[1].Stats
			if span := s.Age - last.Age; span > 0.2 { // as card.js has it
				assert.InDelta(t, 100, float64(s.Added-last.Added)/span, 5, i)
				last = s
			}
		}
		assert.Greater(t, last.Age, 6.)
		close(hangs.hold)
		stop()
		adding.Wait()
		time.Sleep(time.Second)
	})
}

func TestACombineFunctionThatHangsHoldsUpNobody(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{})
	hangs, err := batcher.NewCombiner(func(old, new int) int { close(held); <-hold; return old + new },
		func(context.Context, map[string]int) error { return nil }, batcher.WithMaxDelay(time.Hour))
	require.NoError(t, err)
	p := show(t, start(t, good), hangs)
	p.limit = 10 * time.Millisecond
	require.NoError(t, hangs.Add(t.Context(), "k", 1))
	var adding sync.WaitGroup
	adding.Go(func() { assert.NoError(t, hangs.Add(context.Background(), "k", 1)) })
	<-held
	assert.Equal(t, Silent, stats(t, p).Batchers[1].State)

	server := httptest.NewServer(p)
	server.Config.RegisterOnShutdown(p.Close)
	next(t, events(t, server.URL+"/events"))
	assert.NoError(t, server.Config.Shutdown(context.Background()))
	close(hold)
	adding.Wait()
	require.NoError(t, hangs.Close(context.Background()))
	server.Close()
	http.DefaultClient.CloseIdleConnections()
}

func TestDropsAreToldForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(context.Context, []int) error { time.Sleep(time.Hour); return nil }, batcher.WithMaxSize(1),
			batcher.WithQueueDepth(10), batcher.WithOverflow(batcher.DropNewest), batcher.WithFlushTimeout(2*time.Hour))
		p := show(t, b)
		add := func(n int) {
			for i := range n {
				require.NoError(t, b.Add(t.Context(), i))
			}
		}
		add(12)
		assert.Equal(t, Behind, stats(t, p).Batchers[0].State, "when one was dropped, nobody knows")
		for _, c := range []struct {
			pause   time.Duration
			add     int
			state   State
			verdict string
		}{
			{time.Second, 2, Dropping, "2 items were dropped for lack of room in the last 1s"},
			{4 * time.Second, 0, Dropping, "2 items were dropped for lack of room in the last 5s"},
			{time.Second, 0, Behind, "10 batches wait for a worker; the queue has room for 10"},
			{time.Second, 1, Dropping, "3 items were dropped for lack of room in the last 7s"},
			{time.Hour - time.Minute, 0, Stuck, "the oldest item has been held for 59m7s; 1 of 1 worker is at work"},
			{time.Second, 4, Dropping, "4 items were dropped for lack of room in the last 1s"},
		} {
			time.Sleep(c.pause)
			add(c.add)
			got := stats(t, p).Batchers[0]
			assert.Equal(t, c.state, got.State)
			assert.Contains(t, got.Verdict, c.verdict)
		}
	})
}

func TestAPageThatIsMadeLateSaysSo(t *testing.T) {
	b := start(t, good)
	require.NoError(t, b.AddWait(t.Context(), 1))
	got := stats(t, show(t, b)).Batchers[0]
	assert.Equal(t, "nothing is held; no flush has been seen since this page was made", got.Verdict)
	assert.EqualValues(t, 1, got.Stats.Flushed)
}

func TestSinceAndAgeAreOfThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := time.Now()
		p := show(t)
		time.Sleep(time.Hour)
		s := stats(t, p)
		assert.Equal(t, made.UTC(), s.Since.UTC())
		assert.Equal(t, 3600., s.Age)
	})
}
