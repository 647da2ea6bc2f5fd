package batchertest

// Goroutines that a sink leaves behind.

import (
	"bytes"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// goroutines returns the stacks of all goroutines, by "goroutine " and their number.
func goroutines() map[string]string {
	stacks := make(map[string]string)
	for stack := range bytes.SplitSeq(allStacks(), []byte("\n\n")) {
		name, _, _ := strings.Cut(string(stack), " [")
		stacks[name] = string(stack)
	}
	return stacks
}

func allStacks() []byte {
	for size := 1 << 18; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
}

// watchGoroutines makes the test look for leaks at its end, after all cleanups that are registered
// later.
func watchGoroutines(t testing.TB) {
	before := goroutines()
	t.Cleanup(func() { findLeak(t, before) })
}

// findLeak fails the test if a goroutine does not end that was not there before. After a failed
// check it does not look: a call that hangs has been reported.
func findLeak(t testing.TB, before map[string]string) {
	if t.Failed() {
		return
	}
	left := leftSince(before)
	wait := time.Millisecond
	for begin := time.Now(); len(left) > 0 && time.Since(begin) < promptly; left = leftSince(before) {
		time.Sleep(wait) // there is no event to wait for: a goroutine just ends
		wait = min(2*wait, promptly/50)
	}
	if len(left) > 0 {
		t.Errorf("goroutines are left: %d\n\n%s", len(left), strings.Join(left, "\n\n"))
	}
}

// leftSince returns the stacks of the goroutines that were not there before.
func leftSince(before map[string]string) []string {
	now := goroutines()
	maps.DeleteFunc(now, func(name, _ string) bool { return before[name] != "" })
	return slices.Sorted(maps.Values(now))
}
