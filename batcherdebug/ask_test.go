package batcherdebug

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
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
		for _, c := range []struct {
			waited  time.Duration
			verdict string
		}{{time.Second, "no answer for 1s: "}, {0, "no answer for 2s: "}, {0, "no answer for 3s: "}} {
			time.Sleep(time.Second)
			begun := time.Now()
			s := stats(t, p)
			assert.Equal(t, c.waited, time.Since(begun), "it is waited for once")
			assert.Equal(t, []State{Flowing, Silent, Flowing},
				[]State{s.Batchers[0].State, s.Batchers[1].State, s.Batchers[2].State})
			assert.True(t, strings.HasPrefix(s.Batchers[1].Verdict, c.verdict), s.Batchers[1].Verdict)
			assert.EqualValues(t, 1, s.Batchers[1].Stats.Added, "the last known")
			assert.EqualValues(t, 2, s.Batchers[2].Stats.Flushed)
		}
		close(hangs.hold) // it answers now, but nobody asks
		require.NoError(t, b.AddWait(t.Context(), 1))
		time.Sleep(time.Second)
		got := stats(t, p).Batchers[1]
		assert.Equal(t, Flowing, got.State)
		assert.EqualValues(t, 3, got.Stats.Flushed, "not the answer that came late")
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

func TestDropsAreToldWhileTheyAreNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(context.Context, []int) error { time.Sleep(time.Hour); return nil }, batcher.WithMaxSize(1),
			batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropNewest), batcher.WithFlushTimeout(0))
		p := show(t, b)
		add := func(n int) Batcher {
			for i := range n {
				require.NoError(t, b.Add(t.Context(), i))
			}
			return stats(t, p).Batchers[0]
		}
		assert.Equal(t, Behind, add(5).State, "when they were dropped, nobody knows")
		time.Sleep(time.Second)
		got := add(2)
		assert.Equal(t, Dropping, got.State)
		assert.Equal(t, "2 items were dropped for lack of room in the last 1s", got.Verdict)
		time.Sleep(time.Second)
		assert.Equal(t, Behind, add(0).State)
		time.Sleep(news + 1)
		assert.NotEqual(t, Dropping, add(1).State, "nobody has watched meanwhile")
	})
}

func TestAPageThatIsMadeLateSaysSo(t *testing.T) {
	b := start(t, good)
	require.NoError(t, b.AddWait(t.Context(), 1))
	got := stats(t, show(t, b)).Batchers[0]
	assert.Equal(t, "nothing is held; nothing has been flushed since this page was made", got.Verdict)
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
