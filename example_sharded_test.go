package batcher_test

import (
	"context"
	"fmt"

	"github.com/seed-4c1eaf8a/batcher"
)

// One table per tenant: each batch has the rows of one tenant, in their order, with
// any number of workers.
func ExampleSharded() {
	s, err := batcher.NewSharded(func(_ context.Context, tenant string, rows []int) error {
		fmt.Println("insert into", tenant, rows)
		return nil
	},
		batcher.WithMaxSize(3),
		batcher.WithMaxPending(10_000),      // rows of all tenants that may be under way
		batcher.WithMaxPendingPerKey(1_000), // and of one
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for row := range 4 {
		_ = s.Add(ctx, "acme", row)
	}
	_ = s.Flush(ctx)
	_ = s.Add(ctx, "bolt", 7)
	if err := s.Close(ctx); err != nil { // a *batcher.CloseError[batcher.Entry[string, int]]
		fmt.Println(err)
	}
	// Output:
	// insert into acme [0 1 2]
	// insert into acme [3]
	// insert into bolt [7]
}
