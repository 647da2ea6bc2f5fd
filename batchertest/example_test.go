package batchertest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

// What a program writes, how it is cut into batches, and why.
func ExampleSink() {
	ctx := context.Background()
	sink := batchertest.NewSink[string]()
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(2))
	if err != nil {
		panic(err)
	}
	for _, item := range []string{"a", "b", "c"} {
		_ = b.Add(ctx, item)
	}
	_ = b.Close(ctx)

	for _, call := range sink.Calls() {
		fmt.Println(call.Items, call.Info.Reason)
	}
	// Output:
	// [a b] size
	// [c] close
}

// The database is down for two attempts.
func ExampleSink_FailNext() {
	ctx := context.Background()
	sink := batchertest.NewSink[string]()
	sink.FailNext(2, errors.New("connection refused"))
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(1),
		batcher.WithRetry(3, batcher.ExponentialBackoff(time.Microsecond, time.Millisecond)))
	if err != nil {
		panic(err)
	}
	fmt.Println("fate:", b.AddWait(ctx, "a"))
	_ = b.Close(ctx)

	for _, call := range sink.Calls() {
		fmt.Printf("attempt %d: %v\n", call.Info.Attempt, call.Err)
	}
	// Output:
	// fate: <nil>
	// attempt 1: connection refused
	// attempt 2: connection refused
	// attempt 3: <nil>
}

// One item in a batch can never be written.
func ExampleSink_RejectItems() {
	ctx := context.Background()
	sink := batchertest.NewSink[string]()
	letters := batchertest.NewLetters[string]()
	sink.RejectItems(func(item string) error {
		if item == "b" {
			return batcher.Permanent(errors.New("no such column"))
		}
		return nil
	})
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(3), batcher.WithDeadLetter(letters.Handle))
	if err != nil {
		panic(err)
	}
	_, _ = b.AddAll(ctx, []string{"a", "b", "c"})
	_ = b.Close(ctx)

	fmt.Println("flushed:", sink.Items())
	for _, letter := range letters.All() {
		fmt.Println("given up:", letter.Items, letter.Err)
	}
	// Output:
	// flushed: [a c]
	// given up: [b] no such column
}

// The database hangs: what does the program do when there is no more room?
func ExampleSink_Hold() {
	ctx := context.Background()
	sink := batchertest.NewSink[string]()
	sink.Hold()
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(1), batcher.WithQueueDepth(1))
	if err != nil {
		panic(err)
	}
	_ = b.Add(ctx, "a")
	_ = sink.WaitHeld(ctx, 1)
	_ = b.Add(ctx, "b")
	fmt.Println(b.TryAdd("c"))

	sink.Release()
	_ = sink.WaitItems(ctx, 2)
	_ = b.Close(ctx)
	fmt.Println(sink.Items())
	// Output:
	// batcher: full
	// [a b]
}

// A store with a fault: it keeps the slice, to write it later.
func ExamplePoison() {
	ctx := context.Background()
	var kept [][]string
	insert := func(_ context.Context, batch []string) error {
		kept = append(kept, batch)
		return nil
	}
	b, err := batcher.New(batchertest.Poison(insert, "poison"), batcher.WithMaxSize(2))
	if err != nil {
		panic(err)
	}
	_, _ = b.AddAll(ctx, []string{"a", "b", "c"})
	_ = b.Close(ctx)
	fmt.Println(kept)
	// Output: [[poison poison] [poison]]
}
