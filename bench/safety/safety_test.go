package safety_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/safety"
)

// TestMain also is what the children run: the contenders, and those with planted faults.
func TestMain(m *testing.M) {
	safety.Jobs(find).Main()
	os.Exit(m.Run())
}

func find(name string) (safety.Queues, bool) {
	if fault, ok := strings.CutPrefix(name, "broken-"); ok {
		return safety.Queues{Name: name, AddContext: true, CloseContext: true,
			New: func(s contender.Settings, sink contender.Sink[int]) (contender.Queue[int], error) {
				return &broken{fault: fault, sink: sink}, nil
			}}, true
	}
	return contender.Find[int](name)
}

// broken sends each item at once, as a batch of its own, and has one fault.
type broken struct {
	fault string
	sink  contender.Sink[int]

	mu     sync.Mutex // guards the fields below
	last   int
	closed bool
}

func (b *broken) Add(_ context.Context, item int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed && b.fault != "open" {
		return context.Canceled
	}
	b.last = item
	if b.fault == "lose" && item%100 == 99 || b.fault == "open" && b.closed {
		return nil
	}
	err := b.sink(context.Background(), []int{item})
	if b.fault == "swallow" {
		return nil
	}
	return err
}

func (b *broken) Close(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	switch b.fault {
	case "double":
		return b.sink(context.Background(), []int{b.last})
	case "panic":
		panic("no")
	}
	return nil
}

// try runs a probe by its name.
func try(t *testing.T, probe, name string) safety.Outcome {
	t.Helper()
	for _, p := range safety.Probes() {
		if p.Name == probe {
			o, err := safety.Run(t.Context(), p, name)
			require.NoError(t, err)
			return o
		}
	}
	t.Fatalf("no probe %q", probe)
	return safety.Outcome{}
}

func TestPlantedFaultsAreFound(t *testing.T) {
	for _, c := range []struct{ probe, fault, detail string }{
		{"Close race", "lose", "lost"},
		{"Close race", "double", "doubled 1"},
		{"Close race", "panic", "the process died: panic: no"},
		{"timer race", "double", "doubled 1"},
		{"panic", "none", "the process died: panic: the sink panics"},
		{"closed", "open", "accepted, and lost"},
		{"cancelled", "none", "1000 of 1000"},
		{"outage", "swallow", "nobody is told"},
	} {
		t.Run(c.probe+"/"+c.fault, func(t *testing.T) {
			o := try(t, c.probe, "broken-"+c.fault)
			assert.Equal(t, safety.Failed, o.Verdict)
			assert.Contains(t, o.Detail, c.detail)
		})
	}
}

func TestThisLibraryPassesAllProbes(t *testing.T) {
	for _, name := range []string{"batcher", "batcher-lanes"} {
		for _, p := range safety.Probes() {
			if p.Name == "stale timer" {
				continue // it measures time, so a busy machine can make it fail; bench runs it
			}
			t.Run(name+"/"+p.Name, func(t *testing.T) {
				t.Parallel()
				assert.Equal(t, safety.Passed, try(t, p.Name, name).Verdict)
			})
		}
	}
}

func TestWhatDoesNotExistIsNoOutcomeOfAContender(t *testing.T) {
	o := try(t, "closed", "nobody")
	assert.Contains(t, o.Detail, `no probe "closed" of "nobody"`)
}

func TestAnInterruptedProbeIsNoOutcome(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err := safety.Run(ctx, safety.Probes()[0], "batcher")
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}
