package metricslock

// The fast side: an atomic counter.

import "sync/atomic"

// Fast is an atomic counter. Nobody is put to sleep; but the cache line with the counter still goes
// from one processor to the next, each time. It is the sum that is contended, not only its lock.
type Fast struct{ n atomic.Int64 }

// Inc adds one.
func (f *Fast) Inc() { f.n.Add(1) }

// Value returns the count.
func (f *Fast) Value() int64 { return f.n.Load() }
