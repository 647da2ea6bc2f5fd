// Command telemetry shows a batcher on a hot path: many goroutines on many cores report
// what they do, as points, and must not be held up by that, neither by one another nor
// by a collector that is too slow. Lanes keep the goroutines from meeting at one lock, and
// DropOldest never makes them wait: what is lost is the oldest, and it is counted.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const (
	goroutines = 64
	each       = 5_000 // points per goroutine
)

// point is one measurement. It is small and has no pointers: a million are cheap to hold.
type point struct {
	source int32
	value  int32
}

// collector takes 2 ms for a batch, however large, and knows how often it was called.
type collector struct {
	batches, points int // written by the one worker
}

func (c *collector) send(_ context.Context, batch []point) error {
	time.Sleep(2 * time.Millisecond)
	c.batches++
	c.points += len(batch)
	return nil
}

func run(out io.Writer) error {
	var (
		remote  collector
		dropped atomic.Int64 // by many goroutines: a drop is reported by whoever needs the room
	)
	b, err := batcher.New(remote.send,
		batcher.WithLanes(runtime.GOMAXPROCS(0)), // order does not matter: a point says where it is from
		batcher.WithMaxSize(2000),
		batcher.WithMaxDelay(50*time.Millisecond),
		batcher.WithQueueDepth(100), // a burst of 200 000 points: 1.6 MB
		batcher.WithOverflow(batcher.DropOldest),
		batcher.WithDeadLetter(func(_ context.Context, letter batcher.DeadLetter[point]) {
			dropped.Add(int64(len(letter.Items)))
		}),
	)
	if err != nil {
		return err
	}
	began := time.Now()
	emit(b)
	took := time.Since(began)
	if err := b.Close(context.Background()); err != nil {
		return err
	}
	const all = goroutines * each
	fmt.Fprintln(out, "emitted:", all, "points by", goroutines, "goroutines")
	fmt.Fprintln(out, "accounted for:", remote.points+int(dropped.Load()))
	fmt.Fprintf(out, "sent: %d in %d batches, dropped: %d\n", remote.points, remote.batches, dropped.Load())
	fmt.Fprintln(out, "cost of a point:", took/all, "(all goroutines together)")
	return nil
}

// emit lets all goroutines add their points, as fast as they can.
func emit(b *batcher.Batcher[point]) {
	var wg sync.WaitGroup
	for source := range int32(goroutines) {
		wg.Go(func() {
			for value := range int32(each) {
				if err := b.Add(context.Background(), point{source, value}); err != nil {
					return // it was closed; nothing else can go wrong under DropOldest
				}
			}
		})
	}
	wg.Wait()
}
