package prombatcher_test

import (
	"context"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

// modes runs a benchmark on a batcher that is not watched, and on one that is.
func modes(b *testing.B, run func(b *testing.B, q *batcher.Batcher[int64])) {
	for _, watched := range []bool{false, true} {
		name := map[bool]string{false: "metrics=none", true: "metrics=prombatcher"}[watched]
		b.Run(name, func(b *testing.B) {
			q, err := batcher.New(func(context.Context, []int64) error { return nil }, batcher.WithName("a"),
				batcher.WithMaxSize(500))
			require.NoError(b, err)
			if watched {
				c, _ := registered(b)
				watch(b, c, q)
			}
			b.ReportAllocs()
			run(b, q)
			require.NoError(b, q.Close(context.Background()))
		})
	}
}

// BenchmarkAdd is Add of one item, including its share of the flush.
func BenchmarkAdd(b *testing.B) {
	modes(b, func(b *testing.B, q *batcher.Batcher[int64]) {
		ctx := context.Background()
		for b.Loop() {
			_ = q.Add(ctx, 1)
		}
	})
}

// BenchmarkBatch is a batch of one item, from Add to its end.
func BenchmarkBatch(b *testing.B) {
	modes(b, func(b *testing.B, q *batcher.Batcher[int64]) {
		ctx := context.Background()
		for b.Loop() {
			_ = q.Add(ctx, 1)
			_ = q.Flush(ctx)
		}
	})
}

// hooksOf returns the hooks that a collector adds to a batcher.
func hooksOf(t testing.TB, opts ...prombatcher.Option) batcher.Hooks {
	c, _ := registered(t, opts...)
	w := &witness{Observed: start(t, good, batcher.WithName("a"))}
	watch(t, c, w)
	return w.hooks[0]
}

// attempt is what the hooks see of the only attempt at a batch.
func attempt(hooks batcher.Hooks, err error) {
	info := batcher.Info{First: true, Size: 500, Sealed: time.Now(), Attempt: 1}
	ctx := hooks.FlushStart(context.Background(), info)
	hooks.FlushEnd(ctx, info, batcher.FlushResult{Duration: time.Millisecond, Err: err})
}

// The kinds of attempts and histograms that cost differently.
var (
	outcomes = map[string]error{"ok": nil, "permanent": batcher.Permanent(errSink), "other": errSink}
	kinds    = map[string][]prombatcher.Option{"classic": nil, "native": {prombatcher.WithNativeHistograms(1.1)}}
)

// BenchmarkHooks is what the hooks alone cost a batch.
func BenchmarkHooks(b *testing.B) {
	for kind, opts := range kinds {
		for result, err := range outcomes {
			b.Run("histograms="+kind+"/result="+result, func(b *testing.B) {
				hooks := hooksOf(b, opts...)
				b.ReportAllocs()
				for b.Loop() {
					attempt(hooks, err)
				}
			})
		}
	}
}

// BenchmarkScrape is Gather, for one batcher of a hundred.
func BenchmarkScrape(b *testing.B) {
	const batchers = 100
	c, err := prombatcher.New()
	require.NoError(b, err)
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	for i := range batchers {
		stop, err := c.WatchAs(strconv.Itoa(i), start(b, good))
		require.NoError(b, err)
		b.Cleanup(stop)
	}
	for b.Loop() {
		_, _ = registry.Gather()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batchers), "ns/batcher")
}

// BenchmarkWatch is Watch and stop; its bytes are what is held in between.
func BenchmarkWatch(b *testing.B) {
	c, err := prombatcher.New()
	require.NoError(b, err)
	q := start(b, good, batcher.WithName("a"))
	b.ReportAllocs()
	for b.Loop() {
		stop, _ := c.Watch(q)
		stop()
	}
}

func TestP13_ABatchCostsNoAllocationMore(t *testing.T) {
	measure := func(watched bool) float64 {
		q := start(t, good, batcher.WithName("a"))
		if watched {
			c, _ := registered(t)
			watch(t, c, q)
		}
		return fewestAllocs(func() {
			assert.NoError(t, q.Add(context.Background(), 1))
			assert.NoError(t, q.Flush(context.Background()))
		})
	}
	assert.InDelta(t, measure(false), measure(true), slack())
}

// slack is how far two averages of allocations may be apart: under the race detector, pools forget
// at random.
func slack() float64 {
	info, _ := debug.ReadBuildInfo()
	if slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 1
	}
	return 0
}

// fewestAllocs is the least of ten results of testing.AllocsPerRun, which also counts what
// goroutines left over from earlier tests allocate meanwhile.
func fewestAllocs(f func()) float64 {
	fewest := testing.AllocsPerRun(100, f)
	for range 9 {
		fewest = min(fewest, testing.AllocsPerRun(100, f))
	}
	return fewest
}

func TestP13_TheHooksOfABatchThatIsFlushedDoNotAllocate(t *testing.T) {
	for kind, opts := range kinds {
		hooks := hooksOf(t, opts...)
		assert.Zero(t, fewestAllocs(func() { attempt(hooks, nil) }), kind)
	}
}
