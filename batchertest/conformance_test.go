package batchertest_test

// The conformance suite: a correct sink passes, and each defect is found by the check for it.

import (
	"testing"

	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

func TestACorrectSinkPasses(t *testing.T) {
	batchertest.TestSink(t, goodSink())
}
