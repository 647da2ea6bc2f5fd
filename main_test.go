package batcher_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package if a test leaves a goroutine behind.
//
// Test names say what they hold the batcher to: P1 to P14 are its promises, in
// docs/design.md, and F1 to F52 the faults that it must survive, in docs/faults.md.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // many tests fail batches on purpose
	goleak.VerifyTestMain(m)
}
