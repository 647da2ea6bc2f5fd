// Package child runs a job in a process of its own, since what is tried there may panic, hang or
// end the process: the same program is started again, and told by its environment what to do.
package child

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// variable names the job and its arguments, as a JSON array.
const variable = "BATCHER_BENCH_CHILD"

// Jobs are what a child can do, by name. A job's result must be text.
type Jobs map[string]func(args []string) (string, error)

// ErrHung is the error of a job that had to be ended.
var ErrHung = errors.New("it did not come to an end")

// Crash is the error of a process that ended by itself.
type Crash struct{ First string } // the first line that it wrote to standard error

func (c *Crash) Error() string { return "the process died: " + c.First }

// Main does what the process was started for, and ends it. It returns at once in a process that was
// started by somebody else. Call it first in main, and in TestMain.
func (jobs Jobs) Main() {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return
	}
	var words []string
	if err := json.Unmarshal([]byte(text), &words); err != nil || len(words) == 0 || jobs[words[0]] == nil {
		fmt.Fprintf(os.Stderr, "%s=%q is not a job\n", variable, text)
		os.Exit(3)
	}
	result, err := jobs[words[0]](words[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	fmt.Print(result)
	os.Exit(0)
}

// Run does a job in a new process, for at most limit, and returns its result. The error is ErrHung, a
// *Crash, or the cause of ctx.
func Run(ctx context.Context, limit time.Duration, job string, args ...string) (string, error) {
	words, err := json.Marshal(append([]string{job}, args...))
	if err != nil {
		return "", err
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(bounded, program)
	cmd.Env = append(os.Environ(), variable+"="+string(words))
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case bounded.Err() != nil:
		return "", ErrHung
	case err != nil:
		first, _, _ := strings.Cut(strings.TrimSpace(complaints.String()), "\n")
		return "", &Crash{First: first}
	}
	return out.String(), nil
}
