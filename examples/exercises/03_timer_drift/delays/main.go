// Command delays prints how long the first item of each batch waited, in nanoseconds, one line for
// each batch, after the name of the variant: what the histogram of the exercise is drawn from.
//
//	go run ./examples/exercises/03_timer_drift/delays -batches 300
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	timerdrift "github.com/seed-4c1eaf8a/batcher/examples/exercises/03_timer_drift"
)

func main() {
	batches := flag.Int("batches", 300, "how many `batches` of each variant; each takes up to 10 ms")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *batches); err != nil {
		fmt.Fprintln(os.Stderr, "delays:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, batches int) error {
	for _, variant := range []string{"slow", "fast", "library"} {
		delays, err := timerdrift.Delays(ctx, variant, batches)
		if err != nil {
			return err
		}
		for _, d := range delays {
			fmt.Println(variant, d.Nanoseconds())
		}
	}
	return nil
}
