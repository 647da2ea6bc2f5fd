package main

// The step before all others: what was asked for.

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// The bounds of a run: they keep it within a few seconds and the arithmetic within its range.
const (
	maxItems   = 5_000_000
	maxFor     = 1000 * time.Hour
	maxSize    = 10_000_000
	maxWorkers = 1 << 16
	maxQueue   = 1 << 24
	maxRate    = 10_000_000
)

// config is what was asked for.
type config struct {
	settings
	rate    float64
	pattern pattern
	length  time.Duration
	latency latency
	spread  spread
	stall   stall
	seed    uint64

	file     string // of arrivals
	arrivals []time.Duration
	sweep    *sweep
	plot     string // the beginning of the names of the pictures

	queueGiven bool
}

var errHelp = flag.ErrHelp

// parse reads the arguments. Everything that is wrong with them comes in one error.
func parse(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	var faults []error
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	f.SetOutput(stderr)
	c.numbers(f)
	texts := c.texts(f, &faults)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	texts()
	c.queueGiven = given["queue"]
	if len(f.Args()) > 0 {
		faults = append(faults, fmt.Errorf("arguments without a flag: %q", f.Args()))
	}
	faults = append(faults, c.together(given)...)
	if c.sweep == nil { // else each step is checked by itself
		faults = append(faults, c.check()...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, c.load()
}

// numbers declares the flags that package flag can read by itself.
func (c *config) numbers(f *flag.FlagSet) {
	f.Float64Var(&c.rate, "rate", 1000, "items per second on average")
	f.DurationVar(&c.length, "for", time.Minute, "how long items come")
	f.IntVar(&c.size, "size", 500, "MaxSize")
	f.DurationVar(&c.delay, "delay", 100*time.Millisecond, "MaxDelay")
	f.IntVar(&c.workers, "workers", 1, "Workers")
	f.IntVar(&c.queue, "queue", 0, "QueueDepth (default twice the workers)")
	f.BoolVar(&c.eager, "eager", false, "WithEager")
	f.DurationVar(&c.patience, "patience", 0, "how long an Add waits for room until its context ends (0: for ever)")
	f.Uint64Var(&c.seed, "seed", 1, "of what is drawn at random")
	f.StringVar(&c.file, "arrivals", "", "a `file` with one arrival per line, such as 1.5s, instead of -rate, -pattern and -for")
	f.StringVar(&c.plot, "plot", "", "with -sweep: draw `NAME`-light.svg and NAME-dark.svg")
}

// texts declares the flags with a syntax of their own. What it returns reads them, once they are
// known.
func (c *config) texts(f *flag.FlagSet, faults *[]error) (read func()) {
	pattern := f.String("pattern", "poisson", "poisson, steady, or burst:ON/OFF such as burst:100ms/900ms")
	sink := f.String("sink", "10ms+10us", "how long the sink takes for a batch, and for each item in it")
	spread := f.String("spread", "none", "of the sink's times: none, exp, or lognormal:SIGMA")
	stall := f.String("stall", "", "the sink does not answer: AT/LENGTH such as 10s/2s")
	overflow := f.String("overflow", "Block", "without room: Block, Reject, DropNewest or DropOldest")
	sweep := f.String("sweep", "", "one of "+strings.Join(sweepable, ", ")+" with several values: delay=10ms,20ms,50ms")
	return func() {
		set := func(name, text string, err error) {
			if err != nil {
				*faults = append(*faults, fmt.Errorf("-%s %q: %w", name, text, err))
			}
		}
		var err error
		c.pattern, err = parsePattern(*pattern)
		set("pattern", *pattern, err)
		c.latency, err = parseLatency(*sink)
		set("sink", *sink, err)
		c.spread, err = parseSpread(*spread)
		set("spread", *spread, err)
		c.stall, err = parseStall(*stall)
		set("stall", *stall, err)
		c.overflow, err = parseOverflow(*overflow)
		set("overflow", *overflow, err)
		c.sweep, err = parseSweep(*sweep)
		set("sweep", *sweep, err)
	}
}

// parseOverflow reads the name of a policy.
func parseOverflow(text string) (batcher.Overflow, error) {
	for p := batcher.Block; p <= batcher.DropOldest; p++ {
		if strings.EqualFold(text, p.String()) {
			return p, nil
		}
	}
	return 0, errors.New("must be Block, Reject, DropNewest or DropOldest")
}

// together lists the flags that make no sense together.
func (c *config) together(given map[string]bool) (faults []error) {
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for _, name := range []string{"rate", "pattern", "for"} {
		refuse(given["arrivals"] && given[name], "-arrivals %s: it says when items come, so -%s has no meaning", c.file, name)
	}
	refuse(given["patience"] && c.overflow != batcher.Block, "-patience %v: with -overflow %v nobody waits", c.patience, c.overflow)
	refuse(given["plot"] && c.plot == "", "-plot: the name is empty")
	refuse(c.plot != "" && !given["sweep"], "-plot %s: there is a picture of a -sweep only", c.plot)
	if c.sweep != nil {
		refuse(given[c.sweep.name], "-sweep %s=... and -%s: only one of them can say it", c.sweep.name, c.sweep.name)
		refuse(given["arrivals"] && c.sweep.name == "rate", "-sweep rate: -arrivals says when items come")
	}
	return faults
}

// check lists the values that are out of bounds, and settles the default of -queue.
func (c *config) check() (faults []error) {
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	if !c.queueGiven {
		c.queue = min(max(1, 2*c.workers), maxQueue)
	}
	rateFits, lengthFits := c.rate > 0 && c.rate <= maxRate, c.length > 0 && c.length <= maxFor
	refuse(!rateFits, "-rate %v: must be above 0, at most %d", c.rate, maxRate)
	refuse(!lengthFits, "-for %v: must be above 0s, at most %v", c.length, maxFor)
	if n := c.rate * c.length.Seconds(); rateFits && lengthFits && c.file == "" {
		refuse(n > maxItems, "-rate %v -for %v: these are %.0f items, at most %d can be simulated", c.rate, c.length, n, maxItems)
	}
	refuse(c.size < 1 || c.size > maxSize, "-size %d: must be from 1 to %d", c.size, maxSize)
	refuse(c.delay <= 0 || c.delay > maxFor, "-delay %v: must be above 0s, at most %v", c.delay, maxFor)
	refuse(c.workers < 1 || c.workers > maxWorkers, "-workers %d: must be from 1 to %d", c.workers, maxWorkers)
	refuse(c.queue < 1 || c.queue > maxQueue, "-queue %d: must be from 1 to %d", c.queue, maxQueue)
	refuse(c.patience < 0 || c.patience > maxFor, "-patience %v: must be from 0s to %v", c.patience, maxFor)
	return faults
}

// load reads the arrivals, if they are in a file.
func (c *config) load() error {
	if c.file == "" {
		return nil
	}
	f, err := os.Open(c.file)
	if err != nil {
		return fmt.Errorf("-arrivals: %w", err)
	}
	defer f.Close()
	if c.arrivals, err = readArrivals(f); err != nil {
		return fmt.Errorf("-arrivals %s: %w", c.file, err)
	}
	return nil
}

// times returns when the items come.
func (c *config) times() ([]time.Duration, error) {
	if c.file != "" {
		return c.arrivals, nil
	}
	all := c.pattern.times(c.rate, c.length, c.seed)
	if len(all) == 0 {
		return nil, fmt.Errorf("-rate %v -for %v: no item comes in that time", c.rate, c.length)
	}
	return all, nil
}

// simulate runs what was asked for, with these settings instead of c's own.
func (c *config) simulate(set settings) (figures, error) {
	arrivals, err := c.times()
	if err != nil {
		return figures{}, err
	}
	s, err := simulate(set, newSink(c.latency, c.spread, c.stall, c.seed), arrivals)
	if err != nil {
		return figures{}, err
	}
	span := c.length
	if c.file != "" {
		span = arrivals[len(arrivals)-1]
	}
	return s.measure(span), nil
}
