// Command sim simulates a batcher before it is built: how large the batches get, how long items
// wait, how busy the workers are, and whether there is room, for a given load and a given sink.
//
//	go run ./bench/sim -rate 5000 -sink 20ms+10us -size 500 -delay 100ms -workers 2
//	go run ./bench/sim -rate 5000 -sink 20ms+10us -sweep delay=10ms,20ms,50ms,100ms -plot delay
//
// It follows the rules of the library, event by event in virtual time, and is compared with it
// batch by batch in its tests. It says what the rules and the sink cost, and nothing of the
// processor: no time passes in Add, and flushes take what -sink says, however many run at once.
// The sink does not fail. Keys (Sharded), a Combiner, weights, lanes, AddAll and retries are not in it.
//
// The same flags give the same figures. docs/choosing.md says what to make of them.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "sim: "+strings.ReplaceAll(err.Error(), "\n", "\nsim: "))
		os.Exit(1)
	}
}

// run is the program, from its arguments to its end.
func run(args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	switch {
	case errors.Is(err, errHelp):
		return nil
	case err != nil:
		return err
	case c.sweep != nil:
		return c.runSweep(stdout)
	}
	f, err := c.simulate(c.settings)
	if err != nil {
		return err
	}
	advice, err := c.advise(f)
	if err != nil {
		return err
	}
	c.print(stdout, f)
	fmt.Fprintln(stdout)
	for _, a := range advice {
		printParagraph(stdout, a)
	}
	return nil
}

// printParagraph breaks a text into lines that fit beside code.
func printParagraph(w io.Writer, text string) {
	const width = 100
	line := "-"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			fmt.Fprintln(w, line)
			line = " "
		}
		line += " " + word
	}
	fmt.Fprintln(w, line)
}
