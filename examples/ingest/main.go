// Command ingest is a small but complete service on top of package batcher: audit
// events come in over HTTP one by one and go into a database in batches. It also
// plays its own clients, and then verifies that the database holds every event
// that it accepted, exactly once. See the README one directory up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program. It ends when its work is done or ctx ends, and returns the
// exit status: 0, 1 if something failed or was lost, 2 for a fault in args.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runWith(ctx, defaults(), args, stdin, stdout, stderr)
}

// runWith is run with other settings than the default ones behind the flags.
func runWith(
	ctx context.Context, cfg config, args []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	a := &app{
		terminal: isTerminal(stderr),
		stdin:    stdin,
		stdout:   stdout,
		stderr:   &lockedWriter{w: stderr},
	}
	err := cfg.parse(args, stdout)
	if err == nil {
		a.cfg = cfg
		a.log = slog.New(slog.NewTextHandler(a.stderr, nil))
		err = a.run(ctx)
	}
	var misuse usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &misuse):
		fmt.Fprintf(a.stderr, "ingest: %v (-h for help)\n", err)
		return 2
	default:
		fmt.Fprintf(a.stderr, "ingest: %v\n", err)
		return 1
	}
}

// lockedWriter lets several goroutines write.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write writes p in one piece.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
