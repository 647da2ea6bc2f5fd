package idle_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/idle"
)

func TestMain(m *testing.M) {
	idle.Jobs(contender.Find[int]).Main()
	os.Exit(m.Run())
}

func TestThisLibraryHasNoGoroutineWhenIdle(t *testing.T) {
	cost, err := idle.Measure(t.Context(), "batcher", 100, 10*time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, 100, cost.Instances)
	assert.InDelta(t, 0, cost.Goroutines, 0.05, "but for one or two of the runtime's")
	assert.Less(t, cost.Bytes, 50_000.0)
}

func TestALoopHasOneGoroutine(t *testing.T) {
	cost, err := idle.Measure(t.Context(), "channel-loop", 50, 10*time.Millisecond)
	require.NoError(t, err)
	assert.InDelta(t, 1, cost.Goroutines, 0.1)
	assert.Greater(t, cost.Bytes, 1000.0, "a channel and a batch of 100 items")
}

func TestThoseThatHoldMuchAreFewer(t *testing.T) {
	cost, err := idle.Measure(t.Context(), "bsv-go-batcher", 100_000, time.Millisecond)
	require.NoError(t, err)
	assert.Less(t, cost.Instances, 100_000)
	assert.GreaterOrEqual(t, cost.Instances, 10)
}

func TestAContenderThatDoesNotExistIsAnError(t *testing.T) {
	_, err := idle.Measure(t.Context(), "nobody", 1, time.Millisecond)
	assert.ErrorContains(t, err, "bad arguments")
}
