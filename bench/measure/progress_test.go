package measure

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWithoutATerminalThereAreFewPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := NewProgress(&out, 100*time.Second)
		for range 100 { // each takes twice as long as was expected
			p.Begin("Slow/impl=mutex", 1, 10)
			time.Sleep(2 * time.Second)
			p.End(time.Second)
		}
		p.Done()
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		assert.Len(t, lines, 21, "one in ten seconds, and the end")
		assert.Equal(t, "  0 %, 1m40s left: round 1 of 10, Slow mutex", lines[0])
		assert.Equal(t, " 50 %, 1m40s left: round 1 of 10, Slow mutex", lines[10], "as slow as it was so far")
		assert.Equal(t, "measured in 3m20s", lines[20])
	})
}
