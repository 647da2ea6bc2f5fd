package prombatcher_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

func TestTheAlertsAreWellFormedAndFireWhenTheyShould(t *testing.T) {
	assert.Contains(t, promtool(t, "check", "rules", "alerts.yml"), "8 rules found")
	assert.Contains(t, promtool(t, "test", "rules", "alerts_test.yml"), "SUCCESS")
}

// expressions are those of all panels, with what Grafana would put in.
func expressions(t *testing.T) (list []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &dashboard))
	fill := strings.NewReplacer("$job", ".*", "$name", ".*", "$__rate_interval", "15s", "$__range", "15s")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			list = append(list, fill.Replace(target.Expr))
		}
	}
	require.Greater(t, len(list), 20)
	return list
}

func TestTheDashboardShowsAllMetricsAndNoOthers(t *testing.T) {
	shown := map[string]bool{}
	for _, expr := range expressions(t) {
		for _, name := range regexp.MustCompile(`batcher_\w+`).FindAllString(expr, -1) {
			shown[strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")] = true
		}
	}
	for _, name := range metricsInDoc(t) {
		assert.True(t, shown[name], "%s is not shown", name)
		delete(shown, name)
	}
	assert.Empty(t, shown, "shown, and not there")
}

// target is a service with batchers of all front ends, one of which fails at times.
func target(t *testing.T, opts ...prombatcher.Option) (url string) {
	t.Helper()
	c, registry := registered(t, opts...)
	calls := 0
	plain := start(t, func(context.Context, []int) error {
		if calls++; calls%3 == 0 {
			return batcher.Permanent(errSink)
		}
		return nil
	}, batcher.WithName("plain"), batcher.WithMaxSize(5), batcher.WithMaxDelay(10*time.Millisecond))
	sharded, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil }, batcher.WithName("sharded"))
	require.NoError(t, err)
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error { return nil }, batcher.WithName("combiner"))
	require.NoError(t, err)
	for _, b := range []batcher.Observed{plain, sharded, combiner} {
		watch(t, c, b)
	}
	for _, name := range hostileNames {
		stop, err := c.WatchAs(name, plain)
		require.NoError(t, err)
		t.Cleanup(stop)
	}
	ctx, stop := context.WithCancel(context.Background())
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			assert.NoError(t, plain.Add(context.Background(), i))
			assert.NoError(t, sharded.Add(context.Background(), "k", i))
			assert.NoError(t, combiner.Add(context.Background(), "k", i))
			time.Sleep(time.Millisecond) // the pace of a load, which nothing waits for
		}
	})
	web := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	t.Cleanup(func() {
		stop()
		load.Wait()
		assert.NoError(t, sharded.Close(context.Background()))
		assert.NoError(t, combiner.Close(context.Background()))
		web.Close()
	})
	return web.URL
}

func TestARealPrometheusScrapesAndAnswersTheDashboard(t *testing.T) {
	url := target(t)
	s := startPrometheus(t, strings.TrimPrefix(url, "http://"))
	s.eventually("failures, and flushes of the combiner, are scraped", func() bool {
		return len(s.query(`rate(batcher_failed_total{name="plain"}[15s]) > 0`).Data.Result) > 0 &&
			len(s.query(`rate(batcher_flushed_total{name="combiner"}[15s]) > 0`).Data.Result) > 0
	})
	for _, expr := range expressions(t) {
		s.eventually(expr, func() bool { return len(s.query(expr).Data.Result) > 0 })
	}
	for _, name := range hostileNames {
		name = label(name)
		result := s.query("batcher_added_total{name=" + strconv.Quote(name) + "}").Data.Result // PromQL quotes as Go does
		if assert.Len(t, result, 1, "%.50q", name) {
			assert.Equal(t, name, result[0].Metric["name"])
		}
	}
	s.eventually("the rules are evaluated", func() bool {
		groups := s.ask("/api/v1/rules", nil).Data.Groups
		return len(groups) == 1 && len(groups[0].Rules) == 8 && groups[0].Rules[7].Health != "unknown"
	})
	for _, rule := range s.ask("/api/v1/rules", nil).Data.Groups[0].Rules {
		assert.Equal(t, "ok", rule.Health, "%s: %s", rule.Name, rule.LastError)
	}
}

func TestARealPrometheusTakesNativeHistograms(t *testing.T) {
	url := target(t, prombatcher.WithNativeHistograms(1.1))
	s := startPrometheus(t, strings.TrimPrefix(url, "http://"), "--enable-feature=native-histograms")
	s.eventually("a quantile without buckets", func() bool {
		return len(s.query(`histogram_quantile(0.5, rate(batcher_batch_size_items{name="plain"}[15s])) > 0`).Data.Result) == 1
	})
}

func TestPromtoolFindsNoFaultInAScrape(t *testing.T) {
	tool := program(t, "promtool")
	c, registry := registered(t)
	watch(t, c, start(t, good, batcher.WithName("a")))
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	cmd := exec.CommandContext(t.Context(), tool, "check", "metrics")
	cmd.Stdin = w.Body
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err)
	assert.Empty(t, string(out))
}
