package kafkasink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/kafkasink"
)

// Order is what the examples write.
type Order struct {
	ID, Customer string
	Cents        int
}

func describe(o Order, r *kgo.Record) (err error) {
	r.Key = []byte(o.Customer) // all orders of a customer go to one partition
	r.Value, err = json.Marshal(o)
	return err
}

// The sink's Write is the batcher's flush function. The brokers of this example are in its process.
func Example() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.DefaultProduceTopic("orders"),
		kgo.RecordDeliveryTimeout(20*time.Second), // below the batcher's flush timeout
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close() // after the batcher

	sink, err := kafkasink.New(client, describe)
	if err != nil {
		log.Fatal(err)
	}
	b, err := batcher.New(sink.Write,
		batcher.WithMaxSize(1000),
		batcher.WithMaxDelay(20*time.Millisecond),
		batcher.WithRetry(5, batcher.ExponentialBackoff(100*time.Millisecond, 10*time.Second)),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for i := range 2500 {
		if err := b.Add(ctx, Order{ID: fmt.Sprint(i), Customer: fmt.Sprint(i % 7), Cents: 100 * i}); err != nil {
			log.Fatal(err)
		}
	}
	if err := b.Close(ctx); err != nil {
		log.Fatal(err)
	}
	total := int64(0)
	for _, p := range cluster.PartitionInfos("orders") {
		total += p.HighWatermark
	}
	fmt.Println("flushed:", b.Stats().Flushed)
	fmt.Println("in Kafka:", total)
	// Output:
	// flushed: 2500
	// in Kafka: 2500
}

// An item that cannot be described does not fail the others of its batch.
func Example_poisonItem() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	sink, err := kafkasink.New(client, func(o Order, r *kgo.Record) error {
		if o.Cents < 0 {
			return fmt.Errorf("order %s: negative amount", o.ID)
		}
		return describe(o, r)
	})
	if err != nil {
		log.Fatal(err)
	}
	b, err := batcher.New(sink.Write, batcher.WithDeadLetter(func(_ context.Context, l batcher.DeadLetter[Order]) {
		fmt.Println("given up:", len(l.Items), "-", l.Err)
	}))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := b.AddAll(ctx, []Order{{ID: "a", Cents: 1}, {ID: "b", Cents: -1}, {ID: "c", Cents: 3}}); err != nil {
		log.Fatal(err)
	}
	if err := b.Close(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("in Kafka:", cluster.PartitionInfo("orders", 0).HighWatermark)
	// Output:
	// given up: 1 - kafkasink: record of the item: order b: negative amount
	// in Kafka: 2
}
