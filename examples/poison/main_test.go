package main

import "os"

func Example() {
	if err := run(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// refused: [10 20 30 40 50 -60 70 80]
	// stored:  [10 20 30 40]
	// refused: [50 -60 70 80]
	// refused: [50 -60]
	// stored:  [50]
	// refused: [-60]
	// given up: [-60] because of: negative amount
	// stored:  [70 80]
	// 7 stored, 1 given up
}
