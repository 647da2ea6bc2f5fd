package batcher_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Five logins of three users are two writes, of at most two users each.
func ExampleCombiner() {
	ctx := context.Background()
	logins, err := batcher.NewCombiner(
		func(old, new int) int { return old + new },
		func(ctx context.Context, batch map[string]int) error {
			fmt.Println("add to the counters:", batch) // as in UPDATE ... SET n = n + $2
			return nil
		},
		batcher.WithMaxSize(2),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, user := range []string{"ann", "ann", "bob", "ann", "cy"} {
		if err := logins.Add(ctx, user, 1); err != nil {
			fmt.Println(err)
		}
	}
	if err := logins.Close(ctx); err != nil {
		fmt.Println(err)
	}
	stats := logins.Stats()
	fmt.Println(stats.Added+stats.Merged, "values in", stats.Flushed, "entries")
	// Output:
	// add to the counters: map[ann:2 bob:1]
	// add to the counters: map[ann:1 cy:1]
	// 5 values in 4 entries
}

// Only the last state of a sensor is worth writing.
func ExampleCombiner_lastValue() {
	ctx := context.Background()
	states, err := batcher.NewCombiner(
		func(_, new float64) float64 { return new },
		func(ctx context.Context, batch map[string]float64) error {
			fmt.Println(batch)
			return nil
		},
		batcher.WithMaxDelay(time.Minute),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, reading := range []float64{20.5, 20.7, 21} {
		_ = states.Add(ctx, "kitchen", reading)
	}
	_ = states.Close(ctx)
	// Output: map[kitchen:21]
}

// The store refuses one of the counters and takes the others: only that one is tried
// again.
func ExamplePartialKeyError() {
	ctx := context.Background()
	locked := true
	counters, err := batcher.NewCombiner(
		func(old, new int) int { return old + new },
		func(ctx context.Context, batch map[string]int) error {
			fmt.Println("write", batch)
			if locked {
				locked = false
				return &batcher.PartialKeyError[string]{
					Errs: map[string]error{"b": fmt.Errorf("the row is locked")},
				}
			}
			return nil
		},
		batcher.WithRetry(3, batcher.ExponentialBackoff(time.Millisecond, time.Second)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = counters.Add(ctx, "a", 1)
	_ = counters.Add(ctx, "b", 2)
	fmt.Println(counters.Close(ctx))
	// Output:
	// write map[a:1 b:2]
	// write map[b:2]
	// <nil>
}
