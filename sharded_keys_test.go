package batcher_test

// Keys of all kinds, those that are refused, and what is refused at the start.

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func discardKeyed[K comparable, T any](context.Context, K, []T) error { return nil }

// refusesKeys checks that each way to add refuses these keys and leaves no trace.
func refusesKeys[K comparable](t *testing.T, good K, bad ...K) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opts := options{batcher.WithMaxPending(2), batcher.WithMaxPendingPerKey(1), batcher.WithShards(1)}
		for n, opts := range []options{nil, opts} {
			s := startKeyed(t, discardKeyed[K, int], opts...)
			ways := func(key K) []error {
				return []error{
					s.Add(background, key, 1), s.TryAdd(key, 1), s.AddWait(background, key, 1),
					second(s.Submit(background, key, 1)), second(s.AddAll(background, key, []int{1, 2})),
					second(s.AddAll(background, key, nil)),
				}
			}
			for _, key := range bad {
				for way, err := range ways(key) {
					assert.Equal(t, batcher.ErrBadKey, err, "way %d", way)
				}
				assert.Equal(t, errEnded, s.Add(endedContext(), key, 1), "a context that has ended is refused first")
				require.Equal(t, batcher.Stats{}, s.Stats(), "options %d", n)
				require.NoError(t, s.Add(background, good, 1)) // no lock was left behind
				require.NoError(t, s.Flush(background))
				s = startKeyed(t, discardKeyed[K, int], opts...)
			}
			require.NoError(t, s.Close(background))
			for _, key := range append(bad, good) {
				for way, err := range ways(key) {
					assert.Equal(t, batcher.ErrClosed, err, "way %d", way)
				}
			}
			requireBalanced(t, s.Stats())
		}
		synctest.Wait()
		require.Zero(t, engineGoroutines())
	})
}

func TestF40_KeysThatCannotBeLookedUpAreRefused(t *testing.T) {
	type floats struct {
		name string
		at   [2]float64
	}
	type boxed struct {
		n int
		v any
	}
	nan := math.NaN()
	refusesKeys(t, 1.5, nan, -nan)
	refusesKeys(t, 1i, complex(nan, 0), complex(0, nan))
	refusesKeys(t, floats{}, floats{"a", [2]float64{0, nan}})
	refusesKeys[any](t, "good", nan, []int{1}, []int(nil), map[string]int{}, func() {}, struct{ s []int }{},
		[1]any{[]int{}}, [2]any{1, nan}, boxed{1, map[int]int{}}, boxed{v: boxed{v: nan}})
	refusesKeys(t, boxed{}, boxed{1, []byte{}}, boxed{2, floats{at: [2]float64{nan}}})
	refusesKeys(t, [2]any{1, "x"}, [2]any{nil, nan}, [2]any{func() {}})
	refusesKeys[fmt.Stringer](t, time.Second, stringers{})
}

// stringers is a Stringer that cannot be compared.
type stringers []fmt.Stringer

func (stringers) String() string { return "" }

// arrives checks that each key is told apart from the others, and comes as it was.
func arrives[K comparable](t *testing.T, keys ...K) {
	t.Helper()
	for _, shards := range []int{1, 3, 64} {
		got := make(map[K][]int)
		var letters []batcher.Entry[K, int]
		s := startKeyed(t, func(ctx context.Context, key K, batch []int) error {
			info, _ := batcher.InfoFrom(ctx)
			assert.Equal(t, any(key), info.Key)
			got[key] = append(got[key], batch...)
			return errSink
		}, batcher.WithShards(shards), batcher.WithMaxSize(2),
			batcher.WithDeadLetter(func(_ context.Context, l batcher.DeadLetter[batcher.Entry[K, int]]) {
				letters = append(letters, l.Items...)
			}))
		want := make(map[K][]int)
		for i := range 3 {
			for k, key := range keys {
				require.NoError(t, s.Add(background, key, 10*k+i))
				want[key] = append(want[key], 10*k+i)
			}
		}
		finishKeyed(t, s)
		assert.Equal(t, want, got)
		assert.Len(t, letters, 3*len(keys))
		for _, e := range letters {
			assert.Contains(t, want[e.Key], e.Item)
		}
	}
}

func TestF40_F42_KeysOfAnyKindWithAnyNumberOfShards(t *testing.T) {
	one, two := 1, 1
	long := strings.Repeat("long", 1000)
	arrives(t, "", "a", long, long+"er")
	arrives(t, 0, -1, math.MaxInt)
	arrives(t, &one, &two, nil)
	arrives(t, [100]int{1}, [100]int{99: 1})
	arrives(t, struct{}{})
	arrives(t, 0.0, math.Inf(1), math.SmallestNonzeroFloat64)
	arrives[any](t, nil, 1, int64(1), "1", 1.0, true, &one, [0]int{}, struct{ v any }{}, struct{ v any }{1})
	arrives[error](t, nil, errSink, context.Canceled)
	arrives(t, [2]any{}, [2]any{1, "x"}, [2]any{"x", 1})
	arrives(t, make(chan int), make(chan int), nil)
}

func TestF40_EqualKeysAreOneKey(t *testing.T) {
	zero := 0.0
	for _, key := range []any{-zero, struct{ f float64 }{-zero}} {
		var sink script[int]
		s := startKeyed(t, func(ctx context.Context, _ any, batch []int) error { return sink.flush(ctx, batch) })
		other := any(zero)
		if _, ok := key.(float64); !ok {
			other = struct{ f float64 }{zero}
		}
		require.NoError(t, s.Add(background, key, 1))
		require.NoError(t, s.Add(background, other, 2))
		finishKeyed(t, s)
		assert.Equal(t, [][]int{{1, 2}}, sink.seen())
	}
}

// Drops and leftovers name their keys too, among them those that are nothing.
func TestDropsAndLeftoversCarryInterfaceKeys(t *testing.T) {
	type entryOf = batcher.Entry[any, int]
	for _, policy := range []batcher.Overflow{batcher.DropNewest, batcher.DropOldest} {
		synctest.Test(t, func(t *testing.T) {
			var mail mailbox[entryOf]
			s := startKeyed(t, func(ctx context.Context, _ any, _ []int) error { return pause(ctx, sec) },
				batcher.WithMaxPending(3), batcher.WithMaxSize(1), batcher.WithOverflow(policy),
				batcher.WithDeadLetter(mail.handle))
			require.NoError(t, s.Add(background, "busy", 0))
			synctest.Wait()
			for i, key := range []any{nil, 7, nil, 7, nil} {
				time.Sleep(ms)
				require.NoError(t, s.Add(background, key, i))
			}
			want, left := []entryOf{{nil, 2}, {7, 3}, {nil, 4}}, []entryOf{{nil, 0}, {7, 1}}
			if policy == batcher.DropOldest {
				want, left = []entryOf{{nil, 0}, {7, 1}, {nil, 2}}, []entryOf{{7, 3}, {nil, 4}}
			}
			assert.Equal(t, want, mail.items())
			for i, l := range mail.letters {
				assert.Equal(t, want[i].Key, l.Info.Key)
			}
			var ce *batcher.CloseError[entryOf]
			require.ErrorAs(t, s.Close(endedContext()), &ce)
			assert.Equal(t, left, ce.Unflushed)
			assert.Equal(t, []entryOf{{"busy", 0}}, ce.Unknown)
		})
	}
}

func TestP14_F34_OptionsOfSharded(t *testing.T) {
	for _, c := range []struct {
		opts options
		want string // in the error; "" if the values are fine
	}{
		{options{batcher.WithShards(0)}, "WithShards(0): must be from 1 to 65536"},
		{options{batcher.WithShards(-1)}, "WithShards(-1)"},
		{options{batcher.WithShards(1)}, ""},
		{options{batcher.WithShards(1 << 16)}, ""},
		{options{batcher.WithShards(1<<16 + 1)}, "WithShards(65537)"},
		{options{batcher.WithShards(math.MaxInt)}, "WithShards("},
		{options{batcher.WithMaxPending(0)}, "WithMaxPending(0): must be at least 1"},
		{options{batcher.WithMaxPending(-1)}, "WithMaxPending(-1)"},
		{options{batcher.WithMaxPending(math.MaxInt)}, ""},
		{options{batcher.WithMaxPendingPerKey(0)}, "WithMaxPendingPerKey(0): must be at least 1"},
		{options{batcher.WithMaxPendingPerKey(math.MinInt)}, "WithMaxPendingPerKey(-"},
		{options{batcher.WithMaxPendingPerKey(100_000)}, ""},
		{options{batcher.WithMaxPendingPerKey(100_001)},
			"WithMaxPendingPerKey(100001): more than WithMaxPending(100000) allows for all keys"},
		{pending(5, 5), ""},
		{pending(5, 6), "WithMaxPendingPerKey(6): more than WithMaxPending(5)"},
		{pending(math.MaxInt, math.MaxInt), ""},
		{options{batcher.WithMaxSize(math.MaxInt), batcher.WithMaxDelay(math.MaxInt64)}, ""},
		{options{batcher.WithMaxSize(0)}, "WithMaxSize(0)"},
		{options{batcher.WithEager()}, ""},
		{options{batcher.WithoutReuse()}, ""},
		{options{batcher.WithQueueDepth(5)}, "WithQueueDepth: not an option of NewSharded: its bound is WithMaxPending"},
		{options{batcher.WithLanes(2)}, "WithLanes: not an option of NewSharded: its keys are spread over WithShards"},
		{options{batcher.WithFoldBack()}, "WithFoldBack: not an option of NewSharded"},
		{options{batcher.WithMaxWeight(9, func(string) int { return 0 })},
			"WithMaxWeight: its function is a func(string) int"},
		{options{batcher.WithMaxWeight(9, func(entry) int { return 0 })}, "this batcher needs a func(int) int"},
		{options{batcher.WithMaxWeight[int](9, nil)}, "WithMaxWeight: the function is nil"},
		{options{batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[int]) {})}, "DeadLetter[int]"},
		{options{batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[entry]) {})}, ""},
		{options{batcher.WithDeadLetter[entry](nil)}, "WithDeadLetter: the function is nil"},
		{options{nil}, "option 1 of 1 is nil"},
	} {
		s, err := batcher.NewSharded(discardKeyed[string, int], c.opts...)
		if c.want == "" {
			require.NoError(t, err)
			require.NoError(t, s.Add(background, "a", 1))
			assert.EqualValues(t, 1, finishKeyed(t, s).Flushed)
			continue
		}
		require.ErrorIs(t, err, batcher.ErrConfig, c.want)
		assert.Nil(t, s)
		assert.Contains(t, err.Error(), c.want)
	}
}

func TestP14_OptionsOfShardedAreNotThoseOfNew(t *testing.T) {
	for _, c := range []struct {
		opt  batcher.Option
		want string
	}{
		{batcher.WithShards(4), "WithShards: not an option of New: it has no keys"},
		{batcher.WithMaxPending(4), "WithMaxPending: not an option of New: its bound is WithQueueDepth"},
		{batcher.WithMaxPendingPerKey(4), "WithMaxPendingPerKey: not an option of New: it has no batches per key"},
		{batcher.WithFoldBack(), "WithFoldBack: not an option of New"},
	} {
		_, err := batcher.New(discard[int], c.opt)
		require.ErrorIs(t, err, batcher.ErrConfig)
		assert.Contains(t, err.Error(), c.want)
	}
}

func TestP14_AllFaultsOfShardedComeInOneError(t *testing.T) {
	s, err := batcher.NewSharded[string, int](nil,
		batcher.WithShards(0), batcher.WithQueueDepth(1), batcher.WithMaxPending(-7))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.Nil(t, s)
	for _, want := range []string{"the flush function is nil", "WithShards(0)", "WithQueueDepth", "WithMaxPending(-7)"} {
		assert.Contains(t, err.Error(), want)
	}
}

func TestP14_F16_ANilContextIsNamedBySharded(t *testing.T) {
	s := startKeyed(t, discardKeyed[string, int])
	var none context.Context
	for method, call := range map[string]func(){
		"Add":     func() { _ = s.Add(none, "a", 1) },
		"AddAll":  func() { _, _ = s.AddAll(none, "a", nil) },
		"AddWait": func() { _ = s.AddWait(none, "a", 1) },
		"Submit":  func() { _, _ = s.Submit(none, "a", 1) },
		"Flush":   func() { _ = s.Flush(none) },
		"Close":   func() { _ = s.Close(none) },
	} {
		assert.PanicsWithValue(t, "batcher: "+method+": nil context", call)
	}
	assert.Zero(t, finishKeyed(t, s).Added)
}
