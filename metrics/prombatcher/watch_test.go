package prombatcher_test

// Batchers that come and go, and what they are called.

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

func TestNamesThatAreRefused(t *testing.T) {
	c, registry := registered(t)
	var none *batcher.Batcher[int]
	unnamed, named := start(t, good), start(t, good, batcher.WithName("a"))
	for name, test := range map[string]struct {
		b    batcher.Observed
		want error
	}{
		"nil":       {nil, prombatcher.ErrNoBatcher},
		"typed nil": {none, prombatcher.ErrNoBatcher},
		"no name":   {unnamed, prombatcher.ErrNoName},
	} {
		stop, err := c.Watch(test.b)
		assert.ErrorIs(t, err, test.want, name)
		assert.Nil(t, stop, name)
	}
	_, err := c.WatchAs("x", nil)
	assert.ErrorIs(t, err, prombatcher.ErrNoBatcher)
	_, err = c.WatchAs("", named)
	assert.ErrorIs(t, err, prombatcher.ErrNoName)

	watch(t, c, named)
	_, err = c.Watch(named)
	assert.ErrorIs(t, err, prombatcher.ErrNameTaken)
	_, err = c.WatchAs("a", unnamed)
	assert.ErrorIs(t, err, prombatcher.ErrNameTaken)
	stop, err := c.WatchAs("b", unnamed)
	require.NoError(t, err)
	defer stop()
	assert.Contains(t, scrape(t, registry), "batcher_added_total{name=b}")

	bad, err := c.WatchAs("\xff", named)
	require.NoError(t, err)
	defer bad()
	_, err = c.WatchAs("\xfe", unnamed)
	assert.ErrorIs(t, err, prombatcher.ErrNameTaken, "both are shown as the same")
}

func TestABatcherThatIsRefusedIsNotObserved(t *testing.T) {
	c, _ := registered(t)
	w := &witness{Observed: start(t, good, batcher.WithName("a"))}
	_, err := c.WatchAs("", w)
	require.ErrorIs(t, err, prombatcher.ErrNoName)
	watch(t, c, start(t, good, batcher.WithName("a")))
	_, err = c.Watch(w)
	require.ErrorIs(t, err, prombatcher.ErrNameTaken)
	assert.Empty(t, w.hooks)
}

func TestOfManyWhoWantANameOneGetsIt(t *testing.T) {
	c, registry := registered(t)
	var (
		all   sync.WaitGroup
		stops = make(chan func(), 16)
	)
	for range cap(stops) {
		b := start(t, good)
		all.Go(func() {
			if stop, err := c.WatchAs("a", b); err == nil {
				stops <- stop
			} else {
				assert.ErrorIs(t, err, prombatcher.ErrNameTaken)
			}
		})
	}
	all.Wait()
	require.Len(t, stops, 1)
	assert.Contains(t, scrape(t, registry), "batcher_added_total{name=a}")
	(<-stops)()
	assert.Empty(t, scrape(t, registry))
}

func TestHostileNamesAreShownAsTheyAre(t *testing.T) {
	c, registry := registered(t)
	for i, name := range hostileNames {
		b := start(t, good)
		stop, err := c.WatchAs(name, b)
		require.NoError(t, err, "%d", i)
		defer stop()
	}
	found := scrape(t, registry)
	for _, name := range hostileNames {
		assert.Contains(t, found, "batcher_added_total{name="+label(name)+"}")
	}
}

// label is what a name is shown as.
func label(name string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError {
			return '?'
		}
		return r
	}, strings.ReplaceAll(name, "\xff\xfe", "?")) // one for bytes that follow one another
}

var hostileNames = []string{
	`<img src=x onerror=alert(1)>`, "two\nlines", `quote " and \ backslash`, "\xff\xfe", "a sign \uFFFD for others", "{}=,",
	"__name__", " ", "Ω", "null \x00",
	strings.Repeat("long", 200),
}

func TestStopFreesTheNameAndRemovesTheSeries(t *testing.T) {
	c, registry := registered(t)
	a, b := start(t, good, batcher.WithName("a")), start(t, good, batcher.WithName("a"))
	stop := watch(t, c, a)
	require.NoError(t, a.AddWait(t.Context(), 1))
	stop()
	stop()
	assert.Empty(t, scrape(t, registry))
	watch(t, c, b)
	stop() // of the former
	require.NoError(t, a.AddWait(t.Context(), 1))
	found := scrape(t, registry)
	assert.EqualValues(t, 0, found["batcher_added_total{name=a}"])
	assert.EqualValues(t, 0, found["batcher_batch_size_items_count{name=a}"], "hooks of the former are gone")
}

func TestAFlushThatEndsAfterStopBringsNothingBack(t *testing.T) {
	c, registry := registered(t)
	begun, end := make(chan struct{}), make(chan struct{})
	b := start(t, func(context.Context, []int) error {
		close(begun)
		<-end
		return errSink
	}, batcher.WithName("a"), batcher.WithMaxSize(1))
	stop := watch(t, c, b)
	require.NoError(t, b.Add(t.Context(), 1))
	<-begun
	stop()
	close(end)
	_ = b.Flush(t.Context()) // which may come after the failure
	assert.Empty(t, scrape(t, registry))
}

func TestScrapesRaceWatchStopAndClose(t *testing.T) {
	c, registry := registered(t)
	other := prometheus.NewPedanticRegistry()
	require.NoError(t, other.Register(c), "one collector in two registries")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 25 {
				b, err := batcher.New(good, batcher.WithName(fmt.Sprint(i)), batcher.WithMaxSize(2))
				if !assert.NoError(t, err) {
					return
				}
				stop, err := c.Watch(b)
				assert.NoError(t, err)
				for range 5 {
					assert.NoError(t, b.Add(context.Background(), 1))
				}
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					assert.NoError(t, b.Close(context.Background()))
				}()
				stop()
				<-closed
			}
		})
	}
	for _, r := range []*prometheus.Registry{registry, other} {
		all.Go(func() {
			for range 100 {
				_, err := r.Gather()
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	assert.Empty(t, scrape(t, registry))
}
