package main

// The first step: what was asked for.

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// leastRounds is how many rounds figures need that stand in documents: with less, the intervals are
// wide, and the test finds no difference where there is one.
const leastRounds = 10

// config is what was asked for.
type config struct {
	only   []string // sections, in the order of the report
	rounds int
	seed   uint64
	quick  bool
	draft  bool
	render bool
	out    string // the folder of the documents
	all    bool   // no sections were named
	line   string // the command, to be repeated

	root  string // of the repository
	speed *pace
}

var errHelp = flag.ErrHelp

// parse reads the arguments. What does not fit together is refused, before anything is measured.
func parse(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&only, "only", "", "the `sections` to measure, separated by commas: "+strings.Join(sectionNames(), ",")+" (default all)")
	f.IntVar(&c.rounds, "rounds", leastRounds, "how often everything is measured; less than 10 only with -draft or -quick")
	f.Uint64Var(&c.seed, "seed", 0, "of the order within the rounds (default: drawn, and printed)")
	f.BoolVar(&c.quick, "quick", false, "a look: three short rounds, written to standard output and not to the documents")
	f.BoolVar(&c.draft, "draft", false, "write the documents even with less than 10 rounds, and mark them as drafts")
	f.BoolVar(&c.render, "render", false, "measure nothing; write the report from the results that are there")
	f.StringVar(&c.out, "out", "docs", "the `folder` of the documents, from the root of the repository")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	if c.quick && !given["rounds"] {
		c.rounds = 3
	}
	if c.seed == 0 {
		c.seed = uint64(time.Now().UnixNano()) % 1e6
	}
	c.line = strings.Join(append([]string{"go run ./bench"}, args...), " ")
	c.speed = &full
	if c.quick {
		c.speed = &hasty
	}
	var err error
	c.all = only == ""
	c.only, err = parseSections(only)
	return c, errors.Join(err, c.check(f.Args(), given))
}

// check refuses what does not make sense together.
func (c *config) check(rest []string, given map[string]bool) error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(len(rest) > 0, "arguments without a flag: %q", rest)
	refuse(c.rounds < 1, "-rounds %d: has to be 1 or more", c.rounds)
	refuse(c.rounds >= 1 && c.rounds < leastRounds && !c.draft && !c.quick,
		"-rounds %d: less than %d are not for the documents; -draft writes them all the same, -quick does not write them",
		c.rounds, leastRounds)
	refuse(c.quick && given["out"], "-quick writes no documents, so -out has no meaning")
	refuse(c.quick && c.draft, "-quick writes no documents, so -draft has no meaning")
	for _, name := range []string{"only", "rounds", "seed", "quick", "draft"} {
		refuse(c.render && given[name], "-render measures nothing, so -%s has no meaning", name)
	}
	return errors.Join(errs...)
}

// parseSections returns the sections named, each once and in the order of the report; all of them for "".
func parseSections(list string) ([]string, error) {
	all := sectionNames()
	if list == "" {
		return all, nil
	}
	asked := strings.Split(list, ",")
	for _, name := range asked {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("-only: there is no section %q; there are %s", name, strings.Join(all, ", "))
		}
	}
	return slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(asked, name) }), nil
}

// findRoot looks for the root of the repository from the current folder upwards.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "bench", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the repository was not found: run it from a folder inside")
		}
	}
}
