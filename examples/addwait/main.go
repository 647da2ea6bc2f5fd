// Command addwait shows a caller who must know that its item was written before it
// goes on, as a request handler that answers 201 does; and what a timeout means:
// the item was accepted and goes on, only its caller no longer waits.
package main

import (
	"context"
	"errors"
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
	b, err := batcher.New(func(ctx context.Context, batch []string) error {
		time.Sleep(100 * time.Millisecond) // a write takes its time
		fmt.Fprintln(out, "stored", batch)
		return nil
	}, batcher.WithEager()) // a lone item need not wait for others
	if err != nil {
		return err
	}
	ctx := context.Background()

	fmt.Fprintln(out, "patient:", b.AddWait(ctx, "first"))

	// The context bounds the wait. It does not take the item back.
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	err = b.AddWait(short, "second")
	fmt.Fprintln(out, "hasty:", err)
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}

	// Submit tells "not accepted" (its error) from "fate open" (Wait's error), and
	// its receipt can be asked again.
	receipt, err := b.Submit(ctx, "third")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "a quick look:", receipt.Wait(short))
	fmt.Fprintln(out, "in the end:", receipt.Wait(ctx))
	return b.Close(ctx)
}
