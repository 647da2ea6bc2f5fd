//go:build unix

package main

// The program as a process of its own, and signals.

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// process is the program, running.
type process struct {
	*exec.Cmd
	stdout bytes.Buffer
	url    string
	ended  chan struct{} // closed when stderr is at its end
}

// startProcess starts the program and waits until it listens.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	p.Env = append(os.Environ(), asProgram+"=1")
	p.Cmd.Stdout = &p.stdout
	stderr, err := p.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	lines := bufio.NewReader(stderr)
	url := regexp.MustCompile(`url=(\S+)`)
	for p.url == "" {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, line)
		if match := url.FindStringSubmatch(line); match != nil {
			p.url = match[1]
		}
	}
	go func() {
		defer close(p.ended)
		_, _ = io.Copy(io.Discard, lines)
	}()
	return p
}

// hit sends events with wait=1 to a running program, and the signal after some answers.
// It returns what the clients were told and the exit status.
func hit(t *testing.T, signal os.Signal, args ...string) (*ledger, *process, int) {
	t.Helper()
	p := startProcess(t, append(args, "-addr", "127.0.0.1:0")...)
	ctx, cancel := context.WithCancel(t.Context())
	d := newDriver(p.url, 16, 1)
	driven := make(chan struct{})
	go func() {
		defer close(driven)
		sent := 0
		d.drive(ctx, func(yield func(request) bool) {
			for r := range endless {
				if sent++; sent == 500 {
					_ = p.Process.Signal(signal)
				}
				if !yield(r) {
					return
				}
			}
		})
	}()
	<-p.ended
	_ = p.Wait() // its answer is in the exit status
	cancel()
	<-driven
	return d.ledger, p, p.ProcessState.ExitCode()
}

// storedIn verifies the database against the clients' books.
func storedIn(t *testing.T, db string, l *ledger) verdict {
	t.Helper()
	st, err := openSQLite(t.Context(), db)
	require.NoError(t, err)
	return storedOn(t, st, l)
}

// storedOn is storedIn for a store, which it closes.
func storedOn(t *testing.T, st store, l *ledger) verdict {
	t.Helper()
	after, err := tally(t.Context(), st)
	require.NoError(t, err)
	require.NoError(t, st.Close())
	return verify(l, nil, after)
}

func TestSIGTERMUnderLoadLosesNothing(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		db := filepath.Join(t.TempDir(), "events.db")
		l, p, status := hit(t, signal, "-db", db, "-size", "50", "-delay", "10ms")
		assert.Zero(t, status)
		v := storedIn(t, db, l)
		require.NoError(t, v.err())
		assert.Positive(t, v.accepted)
		assert.Contains(t, p.stdout.String(), "+ failed 0 + dropped 0 + returned 0 + pending 0;")
	}
}

func TestSIGTERMUnderLoadLosesNothingOnPostgres(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	rescue := filepath.Join(t.TempDir(), "rescued")
	l, p, status := hit(t, syscall.SIGTERM, "-postgres", dsn, "-rescue", rescue, "-size", "50", "-delay", "10ms")
	assert.Zero(t, status)
	st, err := openPostgres(t.Context(), dsn, batched, 1)
	require.NoError(t, err)
	v := storedOn(t, st, l)
	require.NoError(t, v.err())
	assert.Positive(t, v.accepted)
	assert.Contains(t, p.stdout.String(), "+ failed 0 + dropped 0 + returned 0 + pending 0;")
	assert.NoFileExists(t, rescue)
}

func TestSIGKILLLosesNoEventThatWasWaitedFor(t *testing.T) {
	db := filepath.Join(t.TempDir(), "events.db")
	p := startProcess(t, "-db", db, "-size", "50", "-delay", "10ms", "-addr", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := newDriver(p.url, 16, 1)
	sent := 0
	d.drive(ctx, func(yield func(request) bool) {
		for r := range generate("run", 2000, 1) {
			if sent++; sent == 500 {
				_ = p.Process.Kill()
			}
			if !yield(r) {
				return
			}
		}
	})
	<-p.ended
	_ = p.Wait() // killed
	v := storedIn(t, db, d.ledger)
	require.NoError(t, v.err(), "all that was answered 201 is there, once")
	assert.Positive(t, v.accepted)
}
