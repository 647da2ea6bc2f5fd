package batcher_test

// Contexts: the producer's, which ends with acceptance, and the flush's, by which
// calls from inside are recognised.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestP14_F16_ANilContextIsAPanicThatNamesTheMethod(t *testing.T) {
	b := start(t, func(context.Context, []int) error { return nil }, batcher.WithMaxDelay(time.Hour))
	r, err := b.Submit(background, 0)
	require.NoError(t, err)
	var none context.Context
	for name, call := range map[string]func(){
		"Add":          func() { _ = b.Add(none, 1) },
		"AddAll":       func() { _, _ = b.AddAll(none, []int{1}) },
		"Submit":       func() { _, _ = b.Submit(none, 1) },
		"AddWait":      func() { _ = b.AddWait(none, 1) },
		"Flush":        func() { _ = b.Flush(none) },
		"Close":        func() { _ = b.Close(none) },
		"Receipt.Wait": func() { _ = r.Wait(none) },
	} {
		require.PanicsWithValue(t, "batcher: "+name+": nil context", call)
	}
	require.EqualValues(t, 1, b.Stats().Added, "none was accepted, and no lock is held")
	finish(t, b)
}

// contextual are the methods that hand over items on behalf of a context.
var contextual = map[string]func(b *batcher.Batcher[int], ctx context.Context) error{
	"Add": func(b *batcher.Batcher[int], ctx context.Context) error { return b.Add(ctx, 1) },
	"AddAll": func(b *batcher.Batcher[int], ctx context.Context) error {
		return errOfAddAll(b.AddAll(ctx, []int{1, 2}))
	},
	"Submit":  func(b *batcher.Batcher[int], ctx context.Context) error { _, err := b.Submit(ctx, 1); return err },
	"AddWait": func(b *batcher.Batcher[int], ctx context.Context) error { return b.AddWait(ctx, 1) },
}

func errOfAddAll(n int, err error) error {
	if err != nil && n > 0 {
		return fmt.Errorf("%d items were accepted, and then: %w", n, err)
	}
	return err
}

func TestP5_F17_AContextThatHasEndedIsAlwaysRefusedThoughThereIsRoom(t *testing.T) {
	const rounds = 10_000
	cancelled, cancel := context.WithCancel(background)
	cancel()
	expired, cancel := context.WithDeadline(background, time.Unix(0, 0))
	defer cancel()
	contexts := map[context.Context]error{
		cancelled: context.Canceled, expired: context.DeadlineExceeded, endedContext(): errEnded,
	}
	for name, state := range map[string]func(b *batcher.Batcher[int]) error{
		"nothing held":         func(*batcher.Batcher[int]) error { return nil },
		"a batch open":         func(b *batcher.Batcher[int]) error { return b.Add(background, 1) },
		"a batch with receipt": func(b *batcher.Batcher[int]) error { _, err := b.Submit(background, 1); return err },
	} {
		b := start(t, func(context.Context, []int) error { return nil },
			batcher.WithMaxDelay(time.Hour), batcher.WithMaxSize(1<<20))
		require.NoError(t, state(b))
		before := b.Stats().Added
		for ctx, want := range contexts {
			for method, add := range contextual {
				for range rounds / len(contextual) {
					if err := add(b, ctx); err != want {
						require.Equal(t, want, err, "%s, %s", name, method)
					}
				}
			}
			n, err := b.AddAll(ctx, nil)
			require.Zero(t, n)
			require.Equal(t, want, err)
		}
		require.Equal(t, before, b.Stats().Added, "%s: accepted all the same", name)
		finish(t, b)
	}
}

func TestP5_F17_AContextThatHasEndedIsRefusedUnderEveryPolicyWithoutADrop(t *testing.T) {
	for _, policy := range []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest} {
		opts := options{batcher.WithMaxSize(1), batcher.WithQueueDepth(1), batcher.WithOverflow(policy)}
		play(t, takes(sec), opts, func(s *stage) {
			s.add(1, 2) // there is no room left
			for method, add := range contextual {
				require.Equal(s, errEnded, add(s.b, endedContext()), "%v, %s", policy, method)
			}
			require.Equal(s, tally{Added: 2, Pending: 2}, tallyOf(s.b.Stats()))
		})
	}
}

func TestP5_F18_AContextThatEndsWhileWaitingReturnsItsCauseAndLeavesNoTrace(t *testing.T) {
	opts := options{batcher.WithMaxSize(1), batcher.WithQueueDepth(2), batcher.WithFlushTimeout(0)}
	for method, add := range contextual {
		t.Run(method, func(t *testing.T) {
			play(t, takes(time.Hour), opts, func(s *stage) {
				s.add(1, 2, 3)
				var calls []*call
				for i := range 20 {
					ctx, cancel := context.WithTimeoutCause(background, time.Duration(i+1)*sec, errEnded)
					defer cancel()
					calls = append(calls, s.call(func() error { return add(s.b, ctx) }))
				}
				synctest.Wait()
				require.Equal(s, 20, s.b.Stats().Waiting)
				for i, c := range calls {
					s.returned(c, time.Duration(i+1)*sec, errEnded)
					require.Equal(s, errEnded, c.err)
					require.Equal(s, 20-i-1, s.b.Stats().Waiting)
				}
				require.Equal(s, tally{Added: 3, Pending: 3}, tallyOf(s.b.Stats()))
				s.until(time.Hour)
				synctest.Wait() // a place comes free, exactly one
				require.NoError(s, s.b.TryAdd(4), "room has leaked")
				require.Equal(s, batcher.ErrFull, s.b.TryAdd(5))
			})
		})
	}
}

func TestP5_AddAllThatWaitsSaysHowManyItHasHandedOverWhenItsContextEnds(t *testing.T) {
	opts := options{batcher.WithMaxSize(2), batcher.WithQueueDepth(1)}
	play(t, takes(sec), opts, func(s *stage) {
		ctx, cancel := context.WithTimeoutCause(background, 1500*ms, errEnded)
		defer cancel()
		n, err := s.b.AddAll(ctx, ints(20))
		require.Equal(s, 6, n)
		require.Equal(s, errEnded, err)
		require.Equal(s, 1500*ms, s.now())
		require.NoError(s, s.b.Close(background))
		s.saw("0s size [0 1]", "1s size [2 3]", "2s size [4 5]")
	})
}

func TestP9_F19_OnceAcceptedTheProducersContextHasNoEffect(t *testing.T) {
	type key struct{}
	play(t, takes(sec), options{batcher.WithMaxDelay(10 * ms), batcher.WithFlushTimeout(5 * sec)}, func(s *stage) {
		short, cancel := context.WithTimeout(background, ms) // shorter than MaxDelay
		defer cancel()
		gone, goNow := context.WithCancel(context.WithValue(background, key{}, "the producer's"))
		require.NoError(s, s.b.Add(gone, 1))
		require.NoError(s, s.b.Add(short, 2))
		_, err := s.b.Submit(gone, 3)
		require.NoError(s, err)
		_, err = s.b.AddAll(short, []int{4, 5})
		require.NoError(s, err)
		goNow()
		s.until(2 * sec)
		s.saw("10ms delay [1 2 3 4 5]")
		v := s.seen()[0]
		deadline, ok := v.ctx.Deadline()
		require.True(s, ok)
		require.Equal(s, 5*sec+10*ms, deadline.Sub(s.opening), "the batcher's own timeout")
		require.Nil(s, v.ctx.Value(key{}), "the batch belongs to no producer")
		require.Equal(s, tally{Added: 5, Flushed: 5}, tallyOf(s.b.Stats()))
	})
}

func TestP9_F19_AddWaitWhoseContextEndsLeavesTheItemItsFate(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(1)}, func(s *stage) {
		ctx, cancel := context.WithTimeoutCause(background, 300*ms, errEnded)
		defer cancel()
		require.Equal(s, errEnded, s.b.AddWait(ctx, 1))
		require.Equal(s, 300*ms, s.now())
		s.submit(2)
		require.Equal(s, errEnded, s.receipt(2).Wait(endedContext()))
		require.NoError(s, s.receipt(2).Wait(background))
		require.NoError(s, s.receipt(2).Wait(endedContext()), "its fate is known now")
		require.Equal(s, 2*sec, s.now())
		require.Equal(s, tally{Added: 2, Flushed: 2}, tallyOf(s.b.Stats()))
	})
}

func TestP9_F19_TheBaseContextLendsItsValuesButNotItsEnd(t *testing.T) {
	type key struct{}
	base, cancel := context.WithTimeout(context.WithValue(background, key{}, "the service's"), ms)
	defer cancel()
	opts := options{batcher.WithMaxSize(1), batcher.WithBaseContext(base), batcher.WithFlushTimeout(0)}
	play(t, takes(time.Hour), opts, func(s *stage) {
		cancel()
		require.NoError(s, s.b.AddWait(background, 1))
		require.Equal(s, time.Hour, s.now())
		require.Equal(s, "the service's", s.seen()[0].ctx.Value(key{}))
		_, ok := s.seen()[0].ctx.Deadline()
		require.False(s, ok)
	})
}

// "The first caller's ctx cancels everybody's batch."
func TestP9_F19_OneProducersEndIsNotTheOthers(t *testing.T) {
	play(t, takes(sec), options{batcher.WithMaxSize(2)}, func(s *stage) {
		ctx, cancel := context.WithTimeout(background, 100*ms)
		defer cancel()
		first := s.call(func() error { return s.b.AddWait(ctx, 1) })
		synctest.Wait()
		second := s.call(func() error { return s.b.AddWait(background, 2) })
		s.returned(first, 100*ms, context.DeadlineExceeded)
		s.returned(second, sec, nil)
	})
}

func TestP9_F20_AFlushThatIgnoresItsDeadlineHoldsItsOwnWorkerOnly(t *testing.T) {
	flush := inTurn(deaf(time.Hour), takes(sec))
	opts := options{
		batcher.WithMaxSize(1), batcher.WithWorkers(2), batcher.WithQueueDepth(9), batcher.WithFlushTimeout(2 * sec),
	}
	play(t, flush, opts, func(s *stage) {
		s.add(1)
		synctest.Wait()
		s.add(2, 3, 4, 5)
		s.until(2 * sec)
		synctest.Wait()
		require.Equal(s, context.DeadlineExceeded, s.seen()[0].ctx.Err(), "it was told")
		s.until(10 * sec)
		s.saw("0s size [1]", "0s size [2]", "1s size [3]", "2s size [4]", "3s size [5]")
		require.Equal(s, tally{Added: 5, Flushed: 4, Pending: 1}, tallyOf(s.b.Stats()))

		ctx, cancel := context.WithTimeout(background, sec)
		defer cancel()
		require.Equal(s, []int{1}, answerOf(s.b.Close(ctx)).Unknown)
		require.Equal(s, 11*sec, s.now())
		s.until(time.Hour) // when it comes back at last
	})
}

// insider is a call made from inside a flush, and what it must return.
type insider struct {
	name string
	call func(b *batcher.Batcher[int], ctx context.Context) error
	room error // with room
	full error // without
}

// insiders are all the methods. A call that returns ErrReentrant has no effect.
var insiders = []insider{
	{"Add", contextual["Add"], nil, batcher.ErrReentrant},
	{"Submit", contextual["Submit"], nil, batcher.ErrReentrant},
	{"AddAll", contextual["AddAll"], nil, batcher.ErrReentrant},
	{
		"TryAdd", func(b *batcher.Batcher[int], _ context.Context) error { return b.TryAdd(1) },
		nil, batcher.ErrFull,
	},
	{
		"Stats", func(b *batcher.Batcher[int], _ context.Context) error { _ = b.Stats(); return nil },
		nil, nil,
	},
	{"AddWait", contextual["AddWait"], batcher.ErrReentrant, batcher.ErrReentrant},
	{
		"Flush", func(b *batcher.Batcher[int], ctx context.Context) error { return b.Flush(ctx) },
		batcher.ErrReentrant, batcher.ErrReentrant,
	},
	{
		"Close", func(b *batcher.Batcher[int], ctx context.Context) error { return b.Close(ctx) },
		batcher.ErrReentrant, batcher.ErrReentrant,
	},
}

// checkInsiders makes every call from inside, without room if full, and with
// contexts derived from the one that the user's function received.
func checkInsiders(t *testing.T, b *batcher.Batcher[int], inside context.Context, own batcher.Receipt, full bool) {
	timed, cancel := context.WithTimeout(inside, time.Hour)
	defer cancel()
	type key struct{}
	for name, ctx := range map[string]context.Context{
		"as received": inside, "with a timeout": timed, "with a value": context.WithValue(inside, key{}, 1),
	} {
		for _, c := range insiders {
			want := c.room
			if full {
				want = c.full
			}
			before := b.Stats().Added
			assert.Equal(t, want, c.call(b, ctx), "%s, %s, full: %v", c.name, name, full)
			if want != nil {
				assert.Equal(t, before, b.Stats().Added, "%s: it had no effect", c.name)
			}
		}
		select {
		case <-own.Done():
			assert.NotEqual(t, batcher.ErrReentrant, own.Wait(ctx), "a fate that is known is told")
		default:
			assert.Equal(t, batcher.ErrReentrant, own.Wait(ctx), "Receipt.Wait, %s", name)
		}
	}
}

func TestP11_CallsFromInsideTheFlushFunctionWorkOrReturnErrReentrantAtOnce(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full=%v", full), func(t *testing.T) {
			var s *stage
			flush := func(ctx context.Context, nth int, _ []int) error {
				if nth == 1 {
					for full && s.b.TryAdd(2) == nil { // fills all that is free
					}
					checkInsiders(t, s.b, ctx, s.receipt(1), full)
				}
				return nil
			}
			synctest.Test(t, func(t *testing.T) {
				s = open(t, flush, batcher.WithMaxSize(100), batcher.WithMaxDelay(10*ms), batcher.WithQueueDepth(1))
				s.submit(1)
				s.until(sec)
				require.NoError(t, s.b.Close(background))
				require.Equal(t, sec, s.now(), "the batcher was not closed from inside, and nothing waited")
				s.end()
			})
		})
	}
}

func TestP11_CallsFromInsideTheDeadLetterHandlerOfAFailure(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full=%v", full), func(t *testing.T) {
			var s *stage
			letters := 0
			handler := batcher.WithDeadLetter(func(ctx context.Context, _ batcher.DeadLetter[int]) {
				letters++
				for full && s.b.TryAdd(2) == nil { // fills all that is free
				}
				checkInsiders(t, s.b, ctx, s.receipt(1), full)
			})
			synctest.Test(t, func(t *testing.T) {
				s = open(t, inTurn(fails(errSink), takes(0)),
					handler, batcher.WithMaxSize(100), batcher.WithMaxDelay(10*ms), batcher.WithQueueDepth(1))
				s.submit(1)
				s.until(sec)
				require.NoError(t, s.b.Close(background))
				require.Equal(t, sec, s.now())
				require.Equal(t, 1, letters)
				require.ErrorIs(t, s.receipt(1).Wait(background), errSink)
				s.end()
			})
		})
	}
}

// The handler of a drop runs on the producer's goroutine; its context is recognised
// there, too. Under these policies there is always a place or a drop.
func TestP11_CallsFromInsideTheDeadLetterHandlerOfADrop(t *testing.T) {
	for _, policy := range []batcher.Overflow{batcher.DropNewest, batcher.DropOldest} {
		t.Run(policy.String(), func(t *testing.T) {
			var s *stage
			letters := 0
			handler := batcher.WithDeadLetter(func(ctx context.Context, letter batcher.DeadLetter[int]) {
				assert.Equal(t, batcher.ErrDropped, letter.Err)
				if letters++; letters > 1 {
					return
				}
				for _, c := range insiders {
					if want := c.room; want != nil {
						assert.Equal(t, want, c.call(s.b, ctx), c.name)
					} else {
						assert.NoError(t, c.call(s.b, ctx), c.name)
					}
				}
			})
			synctest.Test(t, func(t *testing.T) {
				s = open(t, takes(sec), handler, batcher.WithOverflow(policy), batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
				s.add(1)
				synctest.Wait()
				s.add(2, 3)
				require.NoError(t, s.b.Close(background))
				require.Greater(t, letters, 1)
				require.Equal(t, 2*sec, s.now())
				s.end()
			})
		})
	}
}

func TestP11_AddAllFromInsideHandsOverWhatThereIsRoomForAndThenReturnsErrReentrant(t *testing.T) {
	var s *stage
	flush := func(ctx context.Context, nth int, _ []int) error {
		if nth > 1 {
			return nil
		}
		n, err := s.b.AddAll(ctx, []int{2, 3, 4, 5, 6, 7, 8})
		return errors.Join(mustBe(err, batcher.ErrReentrant), wantCount(4, n))
	}
	synctest.Test(t, func(t *testing.T) {
		s = open(t, flush, batcher.WithMaxSize(2), batcher.WithQueueDepth(2), batcher.WithMaxDelay(10*ms))
		s.add(1)
		s.until(sec)
		s.saw("10ms delay [1]", "10ms size [2 3]", "10ms size [4 5]")
		require.Equal(t, tally{Added: 5, Flushed: 5}, tallyOf(s.b.Stats()))
		s.end()
	})
}

func wantCount(want, got int) error {
	if want == got {
		return nil
	}
	return fmt.Errorf("%d items, not %d", got, want)
}

// The context of one batcher's flush is an ordinary one to all others, so stages
// of a pipeline may wait for one another.
func TestP11_TheFlushOfOneBatcherMayWaitForAnother(t *testing.T) {
	var second *stage
	flush := func(ctx context.Context, _ int, items []int) error {
		r, err := second.b.Submit(ctx, items[0])
		return errors.Join(err, second.b.AddWait(ctx, items[0]), r.Wait(ctx), second.b.Flush(ctx), second.b.Close(ctx))
	}
	play(t, flush, options{batcher.WithMaxSize(1)}, func(s *stage) {
		second = open(t, takes(sec), batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
		require.NoError(s, s.b.AddWait(background, 1))
		require.Equal(s, 2*sec, s.now())
		second.saw("0s size [1]", "1s size [1]")
		second.end()
	})
}
