// Package end_to_end is exercise 20: a whole service before and after, measured as its users and its
// administrator see it. The service is examples/ingest; this package builds it, runs it under a load,
// and reads its report.
package end_to_end

// The program: built once, run once for each load.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// source is the package of the service.
const source = "github.com/seed-4c1eaf8a/batcher/examples/ingest"

// Program is the service's executable.
type Program string

// Build builds the service into dir. It needs the go command, and to be called in a directory of this
// module; the packages that the service is made of are compiled if they have not been before.
func Build(ctx context.Context, dir string) (Program, error) {
	path := filepath.Join(dir, "ingest")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w: %s", source, err, out)
	}
	return Program(path), nil
}

// Variant is a way in which the service goes about its work: what is on its command line.
type Variant struct {
	Name string
	Args []string
}

// Connections is how many connections the requests are sent over, by as many clients, each of which waits for
// the answer before it sends the next one.
const Connections = 128

// Load sends so many requests to the service, which stores them on the PostgreSQL server at dsn, in a
// table that must be empty or not be there yet. The service runs in a process of its own (-split) and is
// ended as a signal ends it; then the database is compared with what the clients were told. An error
// says that something was lost, stored twice or refused, or that the program has not come that far, and
// ends with what it has printed. When ctx ends, the program is interrupted: it ends the service, and
// checks what was stored so far. The directory dir is for events that cannot be stored.
func (p Program) Load(ctx context.Context, v Variant, dsn, dir string, requests int) (Figures, error) {
	args := append([]string{
		"-split", "-load", strconv.Itoa(requests), "-conns", strconv.Itoa(Connections),
		"-postgres", dsn, "-rescue", filepath.Join(dir, "rescued.ndjson"),
	}, v.Args...)
	cmd := exec.CommandContext(ctx, string(p), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // a kill would leave the service behind
	cmd.WaitDelay = 40 * time.Second                                      // the service takes 30 at most
	var report, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &report, &log
	err := cmd.Run()
	var f Figures
	if err == nil {
		f, err = parse(report.String(), requests)
	}
	if err != nil {
		said := strings.TrimSpace(report.String() + log.String())
		return Figures{}, fmt.Errorf("the service, %s: %w; it printed:\n%s", v.Name, err, said)
	}
	return f, nil
}
