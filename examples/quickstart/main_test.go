package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/examples/internal/lockedbuf"
)

func TestQuickstart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that the delay cannot come first on a slow machine
		var out lockedbuf.Buffer
		require.NoError(t, run(&out))
		assert.Equal(t, "3 [a b c]\n3 [d e f]\n1 [g]\n", out.String())
	})
}
