package main

// The command line, and what follows from it.

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// config is what the flags say, and what they do not say.
type config struct {
	addr      string
	db        string // empty: a temporary file
	postgres  string // empty: SQLite
	rescue    string // empty: a name made from the database's
	load      int
	split     bool
	naive     bool
	plain     bool
	file      string
	conns     int
	waitShare float64
	size      int
	delay     time.Duration
	workers   int

	// Not flags; tests change them.
	readLimit   time.Duration // how long a client may take to send a request
	roomWait    time.Duration // how long a request waits for room
	waitLimit   time.Duration // how long one with wait=1 waits for the write
	healthLimit time.Duration
	grace       time.Duration // for the shutdown as a whole
	attempts    int           // at storing one batch
	backoff     batcher.Backoff
	flushLimit  time.Duration // for one attempt
	maxTries    int           // at sending one event
	rescueFile  string        // set with the database
	mode        mode          // what naive and plain say

	// open opens the store in a file, openPostgres the one on a server.
	open         func(ctx context.Context, path string) (store, error)
	openPostgres func(ctx context.Context, dsn string, m mode, workers int) (store, error)
}

// mode is how the service goes about its work.
type mode string

const (
	batched mode = "batched" // as it should
	naive   mode = "naive"   // an INSERT for each request
	plain   mode = "plain"   // batched by a loop around a channel
)

func defaults() config {
	return config{
		readLimit:   10 * time.Second,
		roomWait:    100 * time.Millisecond,
		waitLimit:   20 * time.Second,
		healthLimit: 2 * time.Second,
		grace:       30 * time.Second,
		attempts:    100, // minutes in all: meanwhile the batcher is full, and clients come later
		backoff:     batcher.ExponentialBackoff(50*time.Millisecond, 5*time.Second),
		flushLimit:  10 * time.Second,
		maxTries:    30,
		mode:        batched,

		open:         openSQLite,
		openPostgres: openPostgres,
	}
}

// usageError is a fault in the command line.
type usageError struct{ error }

const synopsis = `Usage:
  ingest [-addr HOST:PORT] [-db FILE]      run the service until SIGINT or SIGTERM
  ingest -load N [-conns C] [-db FILE]     run it, drive it over HTTP, verify the database
  ingest -file FILE [-conns C] [-db FILE]  the same with the lines of a file, - for stdin

Each of them keeps the events in PostgreSQL with -postgres DSN in place of -db FILE.

Flags:
`

// bind declares the flags.
func (c *config) bind(flags *flag.FlagSet) {
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080",
		"where to listen; with -load and -file the default is a free port of 127.0.0.1")
	flags.StringVar(&c.db, "db", "",
		"SQLite `file` to keep the events in (default a temporary one, removed at the end)")
	flags.StringVar(&c.postgres, "postgres", "",
		"keep the events in the table events of PostgreSQL, which is made if need be; a `DSN` is\n"+
			"a URL or a list of key=value, what it leaves out is taken from the environment (PGPASSWORD)")
	flags.StringVar(&c.rescue, "rescue", "",
		"`file` for accepted events that cannot be stored (default FILE.rescued.ndjson beside the\n"+
			"database FILE, ingest.rescued.ndjson with -postgres)")
	flags.IntVar(&c.load, "load", 0, "send `N` made-up events to the service, then verify")
	flags.StringVar(&c.file, "file", "",
		"send the JSON values and lines of a `file` to the service, then verify; - is stdin")
	flags.IntVar(&c.conns, "conns", 128, "connections that -load and -file send over")
	flags.Float64Var(&c.waitShare, "wait-share", 0.01,
		"share of the events of -load that are sent with wait=1, from 0 to 1")
	flags.IntVar(&c.size, "size", 500, "events that seal a batch")
	flags.DurationVar(&c.delay, "delay", 200*time.Millisecond,
		"how long the first event of a batch waits at most")
	flags.IntVar(&c.workers, "workers", 0, fmt.Sprintf(
		"batches that are written at once (default 1, %d with -postgres)", postgresWorkers))
	flags.BoolVar(&c.split, "split", false,
		"with -load: run the service in a process of its own, so that what it costs is seen apart")
	flags.BoolVar(&c.naive, "naive", false,
		"for comparison: no batches, an INSERT for each request, answered 201")
	flags.BoolVar(&c.plain, "plain", false,
		"for comparison, with -postgres: batches as people write them first, with a loop around\n"+
			"a channel; not to be trusted with data")
}

// postgresWorkers is the default with -postgres: see docs/ingest.md.
const postgresWorkers = 2

// parse reads the command line into c. On -h it writes the usage to help and returns
// flag.ErrHelp; any other error is a usageError.
func (c *config) parse(args []string, help io.Writer) error {
	flags := flag.NewFlagSet("ingest", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one message is enough, and run prints it
	c.bind(flags)
	if err := flags.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			return usageError{err}
		}
		_, _ = io.WriteString(help, synopsis)
		flags.SetOutput(help)
		flags.PrintDefaults()
		return err
	}
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case c.naive:
		c.mode = naive
	case c.plain:
		c.mode = plain
	}
	if !given["workers"] {
		c.workers = 1
		if c.postgres != "" {
			c.workers = postgresWorkers
		}
	}
	if err := c.check(flags.Args(), given); err != nil {
		return usageError{err}
	}
	if c.driven() && !given["addr"] {
		c.addr = "127.0.0.1:0"
	}
	return nil
}

// driven reports whether the program also plays its clients.
func (c *config) driven() bool { return c.load > 0 || c.file != "" }

// Bounds against slips of the keyboard.
const (
	maxConns   = 10_000
	maxSize    = 100_000
	maxWorkers = 1000
)

// check returns the first thing that is wrong.
func (c *config) check(rest []string, given map[string]bool) error {
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{len(rest) > 0, fmt.Sprintf("unexpected argument %q", strings.Join(rest, " "))},
		{given["load"] && c.load < 1, fmt.Sprintf("-load %d: must be at least 1", c.load)},
		{given["file"] && c.file == "", "-file: the name is empty"},
		{given["db"] && c.db == "", "-db: the name is empty"},
		{c.db == ":memory:", "-db :memory: is gone when it is closed, before it can be verified; " +
			"leave out -db for a temporary file"},
		{given["postgres"] && c.postgres == "", "-postgres: the connection string is empty"},
		{given["postgres"] && given["db"], "-db and -postgres exclude each other"},
		{given["rescue"] && c.rescue == "", "-rescue: the name is empty"},
		{c.naive && c.plain, "-naive and -plain exclude each other"},
		{c.plain && c.postgres == "", "-plain is for -postgres"},
		{c.naive && (given["size"] || given["delay"] || given["workers"]),
			"-size, -delay and -workers are for batches, and -naive has none"},
		{c.split && c.load == 0, "-split is for -load"},
		{c.split && runtime.GOOS == "windows", "-split ends the service with a signal, which Windows has not"},
		{given["load"] && given["file"], "-load and -file exclude each other"},
		{given["conns"] && !c.driven(), "-conns is for -load and -file"},
		{c.conns < 1 || c.conns > maxConns,
			fmt.Sprintf("-conns %d: must be from 1 to %d", c.conns, maxConns)},
		{given["wait-share"] && c.load == 0, "-wait-share is for -load"},
		{!(c.waitShare >= 0 && c.waitShare <= 1), // NaN too
			fmt.Sprintf("-wait-share %v: must be from 0 to 1", c.waitShare)},
		{c.size < 1 || c.size > maxSize, fmt.Sprintf("-size %d: must be from 1 to %d", c.size, maxSize)},
		{c.delay <= 0, fmt.Sprintf("-delay %v: must be positive", c.delay)},
		{c.workers < 1 || c.workers > maxWorkers,
			fmt.Sprintf("-workers %d: must be from 1 to %d", c.workers, maxWorkers)},
	} {
		if rule.broken {
			return errors.New(rule.text)
		}
	}
	return nil
}
