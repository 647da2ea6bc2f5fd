// Command poison shows what becomes of one bad item in a batch of good ones: the
// batch is split until the bad item is alone, the good ones are written, and the
// bad one goes to the dead letter handler with its cause.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

var errNegative = errors.New("negative amount")

func run(out io.Writer) error {
	b, err := batcher.New(func(ctx context.Context, amounts []int) error {
		// A database that refuses the whole statement for one bad row. Permanent
		// says that the same rows will fail again.
		if slices.Min(amounts) < 0 {
			fmt.Fprintln(out, "refused:", amounts)
			return batcher.Permanent(errNegative)
		}
		fmt.Fprintln(out, "stored: ", amounts)
		return nil
	},
		batcher.WithMaxSize(8),
		batcher.WithBisect(),
		batcher.WithDeadLetter(func(ctx context.Context, letter batcher.DeadLetter[int]) {
			fmt.Fprintln(out, "given up:", letter.Items, "because of:", letter.Err)
		}),
	)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := b.AddAll(ctx, []int{10, 20, 30, 40, 50, -60, 70, 80}); err != nil {
		return err
	}
	if err := b.Close(ctx); err != nil {
		return err
	}
	stats := b.Stats()
	fmt.Fprintln(out, stats.Flushed, "stored,", stats.Failed, "given up")
	return nil
}
