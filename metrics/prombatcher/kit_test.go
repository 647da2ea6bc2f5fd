package prombatcher_test

// What the tests share: batchers, and scrapes.

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

var errSink = errors.New("the sink is down")

func good(context.Context, []int) error { return nil }

// start makes a batcher that the test closes.
func start(t testing.TB, flush batcher.FlushFunc[int], opts ...batcher.Option) *batcher.Batcher[int] {
	t.Helper()
	b, err := batcher.New(flush, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close(context.Background())) })
	return b
}

// registered makes a collector that a strict registry has taken.
func registered(t testing.TB, opts ...prombatcher.Option) (*prombatcher.Collector, *prometheus.Registry) {
	t.Helper()
	c, err := prombatcher.New(opts...)
	require.NoError(t, err)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	return c, registry
}

func watch(t testing.TB, c *prombatcher.Collector, b batcher.Observed) (stop func()) {
	t.Helper()
	stop, err := c.Watch(b)
	require.NoError(t, err)
	t.Cleanup(stop)
	return stop
}

// witness keeps the hooks that a batcher is given, and hands them on.
type witness struct {
	batcher.Observed
	hooks []batcher.Hooks
}

func (w *witness) Observe(hooks batcher.Hooks) (remove func()) {
	w.hooks = append(w.hooks, hooks)
	return w.Observed.Observe(hooks)
}

// series are the values of a scrape, by metric and labels: of histograms, count and sum.
type series map[string]float64

// scrape gathers as a strict registry does, so that an inconsistency fails the test.
func scrape(t testing.TB, registry *prometheus.Registry) series {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	found := series{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			at := func(suffix string) string {
				return f.GetName() + suffix + "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.Counter != nil:
				found[at("")] = m.Counter.GetValue()
			case m.Gauge != nil:
				found[at("")] = m.Gauge.GetValue()
			case m.Histogram != nil:
				found[at("_count")] = float64(m.Histogram.GetSampleCount())
				found[at("_sum")] = m.Histogram.GetSampleSum()
			}
		}
	}
	return found
}

// nonzero returns those that are not 0, in order, for a comparison at one glance.
func (s series) nonzero() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if s[name] != 0 {
			names = append(names, name)
		}
	}
	return names
}
