package main

import (
	"fmt"
	"os"
	"strings"
)

// Four hundred items a second, and a service that takes fifty at once, in a fifth of a second.
func Example_tooFewWorkers() {
	err := run(strings.Fields("-rate 400 -pattern steady -for 10s -sink 200ms -size 50 -workers 1"), os.Stdout, os.Stderr)
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// arrivals        400/s for 10s, steady, seed 1: 4000 items
	// sink            200ms for any batch: 250/s of full ones with 1 at once
	// settings        MaxSize 50, MaxDelay 100ms, Workers 1, QueueDepth 2, Block
	//
	// batch size      mean 49.9, p50 50, p99 50, max 50 items; 80 batches, 8/s
	// sealed by       size 98.8 %, delay 1.2 %
	// Add to flush    p50 3.03s, p99 5.97s, max 6.05s
	// Add to written  p50 3.23s, p99 6.17s, max 6.25s
	// workers busy    99 %
	// most held       150 items, of 150 that may be
	// without room    94 % of the items waited, p50 2.83s, p99 5.58s, max 5.73s; 1420 at once at most
	//
	// - The sink is the limit: with 1 worker and full batches it writes 250/s, and 400/s come. What waits,
	//   or is lost, grows without end; no QueueDepth helps.
	// - It needs at least 2 workers, better 3.
	// - Or a MaxSize of at least 80: then the fixed part of the sink's time is shared by more items.
}

// What cannot be simulated is refused, all of it at once.
func Example_badInput() {
	fmt.Println(run(strings.Fields("-workers 0 -sink 20"), os.Stdout, os.Stderr))
	// Output:
	// -sink "20": must be a time such as 20ms, or with one per item, 20ms+10us
	// -workers 0: must be from 1 to 65536
}
