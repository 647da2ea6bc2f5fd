// Package safety tries what happens to items where it goes wrong: each contender, each way, in a
// process of its own, the same for all.
package safety

// The probes, their verdicts, and how one is run.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/child"
	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// Verdict is how a contender came through.
type Verdict string

// The verdicts. NotApplicable: the contender has not what the probe asks about, and says so.
const (
	Passed        Verdict = "passed"
	Failed        Verdict = "failed"
	NotApplicable Verdict = "n/a"
)

// Outcome is what was seen.
type Outcome struct {
	Verdict Verdict
	Detail  string // one line
}

func passed(format string, args ...any) Outcome { return Outcome{Passed, fmt.Sprintf(format, args...)} }
func failed(format string, args ...any) Outcome { return Outcome{Failed, fmt.Sprintf(format, args...)} }

// Queues are what is tried: a contender whose items are numbers.
type Queues = contender.Contender[int]

// Probe is one way in which it can go wrong.
type Probe struct {
	Name        string
	Description string
	try         func(Queues) Outcome
}

// Probes are all of them, in the order of the report.
func Probes() []Probe {
	return []Probe{
		{"Close race", "8 goroutines add while Close is called, 200 times or for 3 s: is everything that Add accepted delivered, once?", closeRace},
		{"timer race", "one item, MaxDelay 100 µs, Close at about the time when the timer fires, up to 100 000 times or for 25 s: is the item delivered, once?", timerRace},
		{"stale timer", "a batch that was sealed by size in the middle of its delay of 40 ms, then a single item, 10 times: does that wait for its own delay?", staleTimer},
		{"panic", "the sink panics over the first batch: does the process live, do later batches arrive, and is somebody told?", panicking},
		{"outage", "the sink fails three times and then works; five attempts are asked for: are all items delivered, or is at least somebody told?", outage},
		{"closed", "Add after Close: is it refused?", afterClose},
		{"cancelled", "1000 calls of Add with a context that has ended: is each refused?", cancelled},
		{"hung sink", "the sink hangs, and the context of Close ends after 100 ms: does Close return?", hungSink},
		{"bound", "the sink hangs, and producers go on: does the queue stop taking items before it holds 200 000?", bound},
	}
}

// limit is how long a probe may take in all.
const limit = time.Minute

// Jobs are what a process started by Run can do.
func Jobs(find func(name string) (Queues, bool)) child.Jobs {
	return child.Jobs{"safety": func(args []string) (string, error) {
		if len(args) != 2 {
			return "", fmt.Errorf("safety: %d arguments", len(args))
		}
		c, ok := find(args[1])
		for _, p := range Probes() {
			if ok && p.Name == args[0] {
				o := p.try(c)
				return string(o.Verdict) + "|" + strings.ReplaceAll(o.Detail, "\n", " "), nil
			}
		}
		return "", fmt.Errorf("safety: no probe %q of %q", args[0], args[1])
	}}
}

// Run tries one probe on one contender, in a new process, whose main must have called Main of Jobs. The
// error is the cause of ctx; whatever happens to the process is an outcome.
func Run(ctx context.Context, probe Probe, contenderName string) (Outcome, error) {
	out, err := child.Run(ctx, limit, "safety", probe.Name, contenderName)
	var crash *child.Crash
	switch {
	case errors.Is(err, child.ErrHung):
		return failed("it hangs"), nil
	case errors.As(err, &crash):
		return failed("%s", crash.Error()), nil
	case err != nil:
		return Outcome{}, err
	}
	verdict, detail, _ := strings.Cut(out, "|")
	return Outcome{Verdict(verdict), detail}, nil
}
