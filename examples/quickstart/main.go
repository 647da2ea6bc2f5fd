// Command quickstart shows all that most programs need: make a batcher with the
// function that writes a batch, add items from wherever they come up, close it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	ctx := context.Background()

	// The function gets up to three items, as soon as there are three or the first
	// of them has waited for 100 ms. Here it prints; yours inserts rows, sends a
	// request, produces messages.
	b, err := batcher.New(func(ctx context.Context, batch []string) error {
		_, err := fmt.Fprintln(out, len(batch), batch)
		return err
	},
		batcher.WithMaxSize(3),
		batcher.WithMaxDelay(100*time.Millisecond),
	)
	if err != nil {
		return err
	}

	// Add may be called from any number of goroutines. nil means: accepted.
	for _, item := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		if err := b.Add(ctx, item); err != nil {
			return err
		}
	}

	// Close flushes what is left. What was accepted is delivered, or handed back.
	return b.Close(ctx)
}
