package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/examples/internal/lockedbuf"
)

// How many points are dropped depends on the machine; that none is missing does not.
func TestTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedbuf.Buffer
		require.NoError(t, run(&out))
		assert.Regexp(t, `^emitted: 320000 points by 64 goroutines
accounted for: 320000
sent: \d+ in \d+ batches, dropped: \d+
cost of a point: .+ \(all goroutines together\)
$`, out.String())
	})
}
