package main

import "os"

func Example() {
	if err := run(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// stored for acme: [1 2]
	// stored for acme: [3 4]
	// slow row 5: its budget is used up
	// slow row 6: its budget is used up
	// stored for acme: [5 6]
	// the slow database answers again
	// stored for slow: [1 2]
	// stored for slow: [3 4]
	// 10 added, 10 stored
}
