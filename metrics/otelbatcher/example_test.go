package otelbatcher_test

import (
	"context"
	"fmt"
	"log"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"
)

// order is an item that knows which request it comes from.
type order struct {
	id     int
	origin otelbatcher.Origin
}

// Spans of flushes, with links to the requests whose items they wrote.
func Example_links() {
	finished := tracetest.NewSpanRecorder() // in a program, an exporter
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(finished))

	telemetry, err := otelbatcher.New(otelbatcher.WithTracerProvider(tracers))
	if err != nil {
		log.Fatal(err)
	}
	defer telemetry.Close()
	insert := func(context.Context, []order) error { return nil }
	b, err := batcher.New(otelbatcher.Linked(insert, func(o order) otelbatcher.Origin { return o.origin }),
		batcher.WithName("orders"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := telemetry.Watch(b); err != nil {
		log.Fatal(err)
	}

	for id := range 3 { // three requests
		ctx, request := tracers.Tracer("http").Start(context.Background(), "POST /orders")
		if err := b.Add(ctx, order{id, otelbatcher.OriginOf(ctx)}); err != nil {
			log.Fatal(err)
		}
		request.End()
	}
	if err := b.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	for _, span := range finished.Ended() {
		fmt.Println(span.Name(), len(span.Links()))
	}
	// Output:
	// POST /orders 0
	// POST /orders 0
	// POST /orders 0
	// flush orders 3
}
