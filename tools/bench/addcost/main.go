// Command addcost adds n items from one goroutine and does nothing else, so that a profiler that
// counts instructions can tell what one Add costs; see callgrind.sh.
//
// There are two implementations to compare: the batcher with a flush function that does nothing,
// and the least that an intake can do, which is to lock, append and unlock.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"

	"github.com/seed-4c1eaf8a/batcher"
)

// batchSize is the number of items in a batch, for both implementations.
const batchSize = 1000

func main() {
	impl := flag.String("impl", "batcher", "what to add to: batcher or lock")
	n := flag.Int("n", 1_000_000, "how many items to add")
	flag.Parse()
	if err := run(*impl, *n); err != nil {
		fmt.Fprintln(os.Stderr, "addcost:", err)
		os.Exit(1)
	}
}

func run(impl string, n int) error {
	switch impl {
	case "batcher":
		return addToBatcher(n)
	case "lock":
		addToSlice(n)
		return nil
	}
	return fmt.Errorf("-impl %s: want batcher or lock", impl)
}

// addToBatcher adds n items to a batcher and closes it.
func addToBatcher(n int) error {
	ctx := context.Background()
	flush := func(context.Context, []int64) error { return nil }
	b, err := batcher.New(flush, batcher.WithMaxSize(batchSize))
	if err != nil {
		return err
	}
	for i := range n {
		if err := b.Add(ctx, int64(i)); err != nil {
			return errors.Join(err, b.Close(ctx))
		}
	}
	return b.Close(ctx)
}

// addToSlice adds n items to a slice under a lock and starts over when it is full.
func addToSlice(n int) {
	l := lockedSlice{items: make([]int64, 0, batchSize)}
	for i := range n {
		l.add(int64(i))
	}
}

// lockedSlice is the limit that Add is measured against.
type lockedSlice struct {
	mu    sync.Mutex // guards items
	items []int64
}

// add is not inlined, as Add is not.
//
//go:noinline
func (l *lockedSlice) add(item int64) {
	l.mu.Lock()
	l.items = append(l.items, item)
	if len(l.items) == batchSize {
		l.items = l.items[:0]
	}
	l.mu.Unlock()
}
