//go:build !race

package hottenantlock

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A name becomes an interface for the look-up in a sync.Map, but not on the heap.
func TestAddToAKnownTenantAllocatesNothing(t *testing.T) {
	name := tenantNames(1)[0]
	for _, v := range variants {
		b := v.make(t, 1<<20, func(string, []Item) {})
		for range 2000 { // the library's buffer grows
			b.Add(Item{name, 0})
		}
		assert.Zero(t, testing.AllocsPerRun(1000, func() { b.Add(Item{name, 1}) }), v.name)
	}
}
