package main

import "os"

func Example() {
	if err := run(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// 3 pages in the database
	// 0 views lost or counted twice
}
