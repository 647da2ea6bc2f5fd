package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/examples/internal/lockedbuf"
)

// A batch is stored each second. The signal comes after 1.5 s, when one is stored and
// three more are held; the grace period ends after 2.5 s, in the middle of the third.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var out lockedbuf.Buffer
		require.EqualError(t, run(ctx, &out), "batcher: closed with 4 items unflushed "+
			"and 4 of unknown outcome: context deadline exceeded")
		assert.Equal(t, `stored: [0 1 2 3]
told to stop after 16 items
stored: [4 5 6 7]
never tried, to be kept: [12 13 14 15]
tried, stored or not:    [8 9 10 11]
`, out.String())
	})
}

func TestShutdownWithNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out lockedbuf.Buffer
		require.NoError(t, run(ctx, &out))
		assert.Equal(t, "told to stop after 0 items\n", out.String())
	})
}
