package main

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher/bench/workload"
)

// TestMain finds goroutines that tests leave behind. Those that the rivals' packages start when they are
// loaded are not the tests'. The fakes deliver before Close returns, so nobody has to wait for them.
func TestMain(m *testing.M) {
	workload.Patience = time.Millisecond
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
