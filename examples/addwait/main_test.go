package main

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/examples/internal/lockedbuf"
)

func TestAddWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedbuf.Buffer
		require.NoError(t, run(&out))
		assert.Equal(t, `stored [first]
patient: <nil>
hasty: context deadline exceeded
a quick look: context deadline exceeded
stored [second]
stored [third]
in the end: <nil>
`, out.String())
	})
}
