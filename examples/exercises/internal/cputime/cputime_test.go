package cputime

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWorkUsesCPUTime(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("the system does not tell")
	}
	before := Now()
	require.Positive(t, before)
	x := uint64(1)
	for after := before; after == before; after = Now() { // it may count in steps of milliseconds
		for range 1_000_000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
	}
	assert.NotZero(t, x)
	assert.Greater(t, Now(), before)
}
