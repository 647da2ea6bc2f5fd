// Command addcost does one kind of work n times from one goroutine and nothing else, so that a
// profiler that counts instructions can tell what one item costs; see callgrind.sh and gate.sh.
//
// The works are the ways of handing over an item, and, to compare them with, the least that an
// intake can do, which is to lock, append and unlock. The flush functions do nothing.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
)

func main() {
	impl := flag.String("impl", "add", "the work: "+strings.Join(names(), ", "))
	n := flag.Int("n", 1_000_000, "how many items to hand over")
	mallocs := flag.Bool("mallocs", false, "print how many objects were allocated")
	list := flag.Bool("list", false, "print the works, each with the two values of n to compare")
	flag.Parse()
	if *list {
		for _, w := range works {
			fmt.Println(w.name, w.few, w.many)
		}
		return
	}
	if err := run(*impl, *n, *mallocs); err != nil {
		fmt.Fprintln(os.Stderr, "addcost:", err)
		os.Exit(1)
	}
}

// run does the work impl with n items. With mallocs it prints how many objects that allocated.
func run(impl string, n int, mallocs bool) error {
	w, err := find(impl)
	if err != nil {
		return err
	}
	if !mallocs { // reading the statistics costs instructions
		return w.do(n)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := w.do(n); err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	fmt.Println(after.Mallocs - before.Mallocs)
	return nil
}

func find(impl string) (work, error) {
	for _, w := range works {
		if w.name == impl {
			return w, nil
		}
	}
	return work{}, fmt.Errorf("-impl %s: want one of %s", impl, strings.Join(names(), ", "))
}

func names() []string {
	var all []string
	for _, w := range works {
		all = append(all, w.name)
	}
	return all
}
