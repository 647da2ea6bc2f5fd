package natssink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/natssink"
)

// Order is what the examples write.
type Order struct {
	ID, Customer string
	Cents        int
}

func message(o Order) (*nats.Msg, error) {
	data, err := json.Marshal(o)
	return &nats.Msg{Subject: "orders." + o.Customer, Data: data}, err
}

// startExample starts a server in the example's process, with a stream, and connects to it.
func startExample(ctx context.Context) (js jetstream.JetStream, stop func(), err error) {
	dir, err := os.MkdirTemp("", "natssink")
	if err != nil {
		return nil, nil, err
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, nil, err
	}
	s.Start()
	s.ReadyForConnections(time.Minute)
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		return nil, nil, err
	}
	if js, err = jetstream.New(nc); err != nil {
		return nil, nil, err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: jetstream.MemoryStorage,
		Duplicates: 10 * time.Minute, // longer than an order may be tried for
	})
	return js, func() {
		nc.Close()
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir)
	}, err
}

// The sink's Write is the batcher's flush function. The message ids come from the orders, so that one
// that is tried again is stored once.
func Example() {
	ctx := context.Background()
	js, stop, err := startExample(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer stop() // after the batcher
	sink, err := natssink.New(js, message,
		natssink.WithMessageID(func(o Order) string { return o.ID }),
		natssink.WithExpectedStream("ORDERS"))
	if err != nil {
		log.Fatal(err)
	}
	if err := sink.Check(ctx, "orders.c1"); err != nil { // tells early if there is no stream
		log.Fatal(err)
	}
	b, err := batcher.New(sink.Write,
		batcher.WithMaxSize(500),
		batcher.WithMaxDelay(20*time.Millisecond),
		batcher.WithRetry(8, batcher.ExponentialBackoff(100*time.Millisecond, 10*time.Second)),
	)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1200 {
		o := Order{ID: fmt.Sprint(i % 1000), Customer: fmt.Sprint("c", i%7)} // 200 come twice
		if err := b.Add(ctx, o); err != nil {
			log.Fatal(err)
		}
	}
	if err := b.Close(ctx); err != nil {
		log.Fatal(err)
	}
	stream, err := js.Stream(ctx, "ORDERS")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("flushed:", b.Stats().Flushed)
	fmt.Println("stored:", stream.CachedInfo().State.Msgs)
	// Output:
	// flushed: 1200
	// stored: 1000
}

// A stream that does not exist is told at the start of the program.
func ExampleSink_Check() {
	ctx := context.Background()
	js, stop, err := startExample(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	sink, err := natssink.New(js, message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sink.Check(ctx, "orders.c1"))
	fmt.Println(sink.Check(ctx, "invoices.c1"))
	// Output:
	// <nil>
	// natssink: stream for subject "invoices.c1": nats: API error: code=404 err_code=10059 description=stream not found
}
