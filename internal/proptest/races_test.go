package proptest

// Narrow windows that random scripts do not hit, each with a test of its own.

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// An item that found no room is dropped under DropNewest; between the two, Close
// must not have come and gone.
func TestP6_NothingIsAcceptedOrDroppedAfterCloseHasReturned(t *testing.T) {
	late := 0
	for range 100 * long {
		var done atomic.Bool
		var lettersAfter atomic.Int32
		b, err := batcher.New(
			func(context.Context, []int) error { return nil },
			batcher.WithMaxSize(1), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropNewest),
			batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) {}),
		)
		if err != nil {
			t.Fatal(err)
		}
		var producers sync.WaitGroup
		for range 4 {
			producers.Go(func() {
				for !errors.Is(b.Add(context.Background(), 1), batcher.ErrClosed) {
					if done.Load() {
						lettersAfter.Add(1)
					}
				}
			})
		}
		for b.Stats().Added < 50 {
		}
		if err := b.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		closed := b.Stats()
		done.Store(true)
		producers.Wait()
		if b.Stats() != closed {
			late++
			if late == 1 {
				t.Logf("at the return of Close %+v\nafterwards             %+v", closed, b.Stats())
			}
		}
	}
	if late > 0 {
		t.Errorf("P6: in %d of %d runs items were accepted after Close had returned nil", late, 100*long)
	}
}

// With nothing left to do Close returns nil, though its context has ended: also in
// the moment in which the worker has settled the last item and not yet ended. The
// batch is large, so that forgetting it takes a moment.
func TestP8_CloseWithAnEndedContextIsNilOnceEverythingIsSettled(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	items := make([][64]byte, 1<<16)
	wrong, rounds := 0, 25*long
	for range rounds {
		b, err := batcher.New(func(context.Context, [][64]byte) error { return nil }, batcher.WithMaxSize(2*len(items)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.AddAll(context.Background(), items); err != nil {
			t.Fatal(err)
		}
		if err := b.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Pending != 0 {
			t.Fatalf("P7: %+v after Flush", s)
		}
		if err := b.Close(ended); err != nil {
			wrong++
			if wrong == 1 {
				t.Log(err)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("P8: %d of %d times Close returned an error with nothing left to do", wrong, rounds)
	}
}

// An Add that is refused has not cost another item its life.
func TestP1_AnAddThatReturnsAnErrorHasDroppedNothing(t *testing.T) {
	ways := map[string]func(b *batcher.Batcher[int], cancel func()){
		"its context ends": func(_ *batcher.Batcher[int], cancel func()) { cancel() },
		"Close is called": func(b *batcher.Batcher[int], _ func()) {
			go func() { _ = b.Close(context.Background()) }()
			time.Sleep(time.Millisecond)
		},
	}
	for name, meanwhile := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				var b *batcher.Batcher[int]
				var dropped []int
				b, err := batcher.New(
					func(context.Context, []int) error { time.Sleep(time.Second); return nil },
					batcher.WithMaxSize(1), batcher.WithQueueDepth(1), batcher.WithOverflow(batcher.DropOldest),
					batcher.WithDeadLetter(func(_ context.Context, l batcher.DeadLetter[int]) {
						dropped = append(dropped, l.Items...)
						meanwhile(b, cancel)
					}),
				)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 2 { // the first runs, the second waits
					if err := b.Add(ctx, i); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if err := b.Add(ctx, 2); err != nil && len(dropped) > 0 {
					t.Errorf("P1: Add returned %v, but dropped item %v", err, dropped)
				}
				cancel()
				_ = b.Close(context.Background())
			})
		})
	}
}

// Flush calls that give up leave nothing behind, however long the sink hangs.
func TestP5_FlushCallsThatGiveUpLeaveNothingBehind(t *testing.T) {
	gate := make(chan struct{})
	b, err := batcher.New(func(context.Context, []int) error { <-gate; return nil }, batcher.WithMaxSize(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddAll(context.Background(), []int{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	live := func() uint64 {
		var m runtime.MemStats
		for range 3 { // what is in a sync.Pool takes two rounds to go
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	for range 20_000 {
		if err := b.Flush(ended); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if grown := int64(live()) - int64(before); grown > 500_000 {
		t.Errorf("P5: 20000 Flush calls have left %d bytes", grown)
	}
	close(gate)
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
