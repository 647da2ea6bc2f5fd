package prombatcher_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/prombatcher"
)

func Example() {
	metrics, err := prombatcher.New()
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	registry.MustRegister(metrics)

	b, err := batcher.New(func(context.Context, []string) error { return nil },
		batcher.WithName("orders"), batcher.WithMaxSize(2))
	if err != nil {
		log.Fatal(err)
	}
	stop, err := metrics.Watch(b)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()

	for _, order := range []string{"tea", "coffee", "milk"} {
		if err := b.Add(context.Background(), order); err != nil {
			log.Fatal(err)
		}
	}
	if err := b.Close(context.Background()); err != nil {
		log.Fatal(err)
	}

	page := httptest.NewRecorder() // in a program: mux.Handle("/metrics", promhttp.HandlerFor(...))
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, "batcher_flushed_total") || strings.HasPrefix(line, "batcher_batch_size_items_count") {
			fmt.Print(line)
		}
	}
	// Output:
	// batcher_batch_size_items_count{name="orders"} 2
	// batcher_flushed_total{name="orders"} 3
}
