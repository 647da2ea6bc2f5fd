package metricslock

// For many processors: several counters, of which the sum is asked for now and then.

import (
	"math/rand/v2"
	"sync/atomic"
)

// stripes is a power of two, so that the remainder costs a mask.
const stripes = 16

// Striped is several atomic counters on cache lines of their own, of which each Inc chooses one at
// random: Go does not tell on which processor a goroutine runs. The choice costs more than an
// uncontended atomic add. And Value is a sum of what was there at slightly different
// moments, so two counters of this kind do not agree at any moment.
type Striped struct {
	parts [stripes]struct {
		n atomic.Int64
		_ [56]byte // the next counter is on another cache line
	}
}

// Inc adds one.
func (s *Striped) Inc() { s.parts[rand.Uint32()%stripes].n.Add(1) }

// Value returns the sum of the counters.
func (s *Striped) Value() (sum int64) {
	for i := range s.parts {
		sum += s.parts[i].n.Load()
	}
	return sum
}
