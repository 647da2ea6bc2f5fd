package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

func Example() {
	b, err := batcher.New(func(_ context.Context, batch []string) error {
		fmt.Println("insert", batch)
		return nil
	},
		batcher.WithMaxSize(3),
		batcher.WithMaxDelay(50*time.Millisecond),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, item := range []string{"a", "b", "c", "d"} {
		if err := b.Add(ctx, item); err != nil {
			fmt.Println(err)
		}
	}
	if err := b.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// insert [a b c]
	// insert [d]
}

// A shutdown has a deadline. What could not be delivered until then is handed
// back, so that it can be saved elsewhere.
func Example_shutdown() {
	started := make(chan struct{})
	b, _ := batcher.New(func(ctx context.Context, batch []int) error {
		close(started)
		<-ctx.Done() // the database does not answer
		return ctx.Err()
	}, batcher.WithMaxSize(2))
	for i := range 5 {
		_ = b.Add(context.Background(), i)
	}
	<-started

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	var left *batcher.CloseError[int]
	if err := b.Close(ctx); errors.As(err, &left) {
		fmt.Println("never tried:", left.Unflushed)
		fmt.Println("perhaps written:", left.Unknown)
		fmt.Println("because:", left.Err)
	}
	// Output:
	// never tried: [2 3 4]
	// perhaps written: [0 1]
	// because: context deadline exceeded
}

// One bad item does not take the others with it.
func Example_poisonItem() {
	insert := func(_ context.Context, batch []string) error {
		for _, item := range batch {
			if item == "poison" {
				return batcher.Permanent(errors.New("constraint violated"))
			}
		}
		fmt.Println("insert", batch)
		return nil
	}
	b, _ := batcher.New(insert,
		batcher.WithBisect(),
		batcher.WithDeadLetter(func(_ context.Context, letter batcher.DeadLetter[string]) {
			fmt.Println("given up", letter.Items, "because:", letter.Err)
		}),
	)
	_, _ = b.AddAll(context.Background(), []string{"a", "b", "poison", "c", "d"})
	_ = b.Close(context.Background())
	// Output:
	// insert [a b]
	// given up [poison] because: constraint violated
	// insert [c d]
}

// A bulk API that reports each item by itself.
func Example_partialFailure() {
	attempt := 0
	bulk := func(_ context.Context, batch []string) error {
		attempt++
		fmt.Println("attempt", attempt, batch)
		if attempt == 1 {
			return &batcher.PartialError{Errs: map[int]error{
				1: errors.New("shard busy"),
				2: batcher.Permanent(errors.New("malformed")),
			}}
		}
		return nil
	}
	b, _ := batcher.New(bulk,
		batcher.WithRetry(3, batcher.ExponentialBackoff(time.Millisecond, time.Second)),
		batcher.WithDeadLetter(func(_ context.Context, letter batcher.DeadLetter[string]) {
			fmt.Println("given up", letter.Items, "because:", letter.Err)
		}),
	)
	_, _ = b.AddAll(context.Background(), []string{"a", "b", "c", "d"})
	_ = b.Close(context.Background())
	// Output:
	// attempt 1 [a b c d]
	// given up [c] because: malformed
	// attempt 2 [b]
}

// A request that must not be answered before its write is done.
func ExampleBatcher_AddWait() {
	b, _ := batcher.New(func(_ context.Context, batch []string) error {
		if batch[0] == "bad" {
			return batcher.Permanent(errors.New("constraint violated"))
		}
		return nil
	}, batcher.WithEager(), batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[string]) {}))
	fmt.Println(b.AddWait(context.Background(), "good"))
	fmt.Println(b.AddWait(context.Background(), "bad"))
	_ = b.Close(context.Background())
	// Output:
	// <nil>
	// batcher: 1 item failed after 1 attempt: constraint violated
}

func ExampleBatcher_Submit() {
	b, _ := batcher.New(func(context.Context, []int) error { return nil })
	receipt, err := b.Submit(context.Background(), 42)
	if err != nil {
		fmt.Println("refused:", err)
		return
	}
	// ... do something else meanwhile ...
	fmt.Println("fate:", receipt.Wait(context.Background()))
	_ = b.Close(context.Background())
	// Output: fate: <nil>
}

func ExampleBatcher_Flush() {
	b, _ := batcher.New(func(_ context.Context, batch []int) error {
		fmt.Println("flushed", len(batch))
		return nil
	}, batcher.WithMaxDelay(time.Hour))
	_, _ = b.AddAll(context.Background(), []int{1, 2, 3})
	if err := b.Flush(context.Background()); err == nil {
		fmt.Println("all are written")
	}
	_ = b.Close(context.Background())
	// Output:
	// flushed 3
	// all are written
}

// A batch is also bounded by the bytes in it.
func ExampleWithMaxWeight() {
	b, _ := batcher.New(func(_ context.Context, batch []string) error {
		fmt.Println(batch)
		return nil
	}, batcher.WithMaxWeight(10, func(s string) int { return len(s) }))
	for _, s := range []string{"four", "five", "sixsix", "1", "far too heavy"} {
		if err := b.Add(context.Background(), s); err != nil {
			fmt.Println(err)
		}
	}
	_ = b.Close(context.Background())
	// Unordered output:
	// batcher: item heavier than the maximum weight of a batch
	// [four five]
	// [sixsix 1]
}

// Many goroutines on many cores: with lanes they seldom meet at one lock. The price is
// the order of the items, which a sum does not mind.
func Example_lanes() {
	sum := 0
	b, _ := batcher.New(func(_ context.Context, batch []int) error {
		for _, n := range batch {
			sum += n
		}
		return nil
	}, batcher.WithLanes(8))
	var producers sync.WaitGroup
	for range 100 {
		producers.Go(func() {
			for n := range 1000 {
				_ = b.Add(context.Background(), n)
			}
		})
	}
	producers.Wait()
	_ = b.Close(context.Background())
	fmt.Println(b.Stats().Flushed, "items, their sum is", sum)
	// Output: 100000 items, their sum is 49950000
}

// Hooks and Stats are what metrics are made from.
func ExampleWithHooks() {
	b, _ := batcher.New(func(context.Context, []int) error { return nil },
		batcher.WithName("events"),
		batcher.WithHooks(batcher.Hooks{
			FlushEnd: func(_ context.Context, info batcher.Info, result batcher.FlushResult) {
				fmt.Printf("%s: %d items, sealed by %v, error %v\n", info.Name, info.Size, info.Reason, result.Err)
			},
		}))
	_, _ = b.AddAll(context.Background(), []int{1, 2, 3})
	_ = b.Close(context.Background())
	s := b.Stats()
	fmt.Println(s.Added == s.Flushed+s.Failed+s.Dropped+s.Returned+s.Pending)
	// Output:
	// events: 3 items, sealed by close, error <nil>
	// true
}
