//go:build !race

package logperflush

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Under the race detector the buffers of the loggers, which come from a sync.Pool, are lost at
// times.
func TestPrintfAllocatesAndTheOthersDoNot(t *testing.T) {
	batch := make([]int, 500)
	for _, name := range names[:4] {
		f, _ := open(t, name, len(batch), func([]int) error { return nil }, io.Discard)
		allocs := testing.AllocsPerRun(1000, func() { f.Flush(Size, batch) })
		if name == "slow" {
			assert.Positive(t, allocs)
		} else {
			assert.Zero(t, allocs, name)
		}
	}
}
