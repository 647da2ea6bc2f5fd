package main

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that tests leave behind. Those that the rivals' packages start when they are
// loaded are not the tests'.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }
