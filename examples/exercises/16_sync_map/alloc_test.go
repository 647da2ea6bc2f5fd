//go:build !race

package syncmap

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A sync.Map takes its keys as interfaces, but does not allocate for that when it finds them.
func TestAddToAKnownTenantAllocatesNothing(t *testing.T) {
	name := tenantNames(1)[0]
	for _, v := range variants {
		b := v.make(t, 1<<20, func(string, []int64) {})
		for range 2000 { // the buffer grows
			b.Add(name, 0)
		}
		assert.Zero(t, testing.AllocsPerRun(400, func() { b.Add(name, 1) }), v.name)
	}
}
