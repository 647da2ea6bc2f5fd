// Command shutdown shows how to end a program that batches: on SIGTERM (or Ctrl-C)
// stop producing, give the batcher a bounded time, and take care of what it hands
// back. The sink is slower than the producer on purpose, so that something is left.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	b, err := batcher.New(func(ctx context.Context, batch []int) error {
		select {
		case <-time.After(time.Second): // a slow database
			fmt.Fprintln(out, "stored:", batch)
			return nil
		case <-ctx.Done(): // the batcher gave up on us
			return ctx.Err()
		}
	}, batcher.WithMaxSize(4))
	if err != nil {
		return err
	}

	// Add waits for room, and ends with ctx: no item is lost between the two.
	n := 0
	for b.Add(ctx, n) == nil {
		n++
	}
	fmt.Fprintln(out, "told to stop after", n, "items")

	// Not ctx: it has ended, and Close would give up at once.
	grace, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err = b.Close(grace)
	if left := new(batcher.CloseError[int]); errors.As(err, &left) {
		fmt.Fprintln(out, "never tried, to be kept:", left.Unflushed)
		fmt.Fprintln(out, "tried, stored or not:   ", left.Unknown)
	}
	return err
}
