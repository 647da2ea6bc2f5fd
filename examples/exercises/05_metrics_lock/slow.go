// Package metricslock is exercise 5: a counter for every item, and its lock.
package metricslock

// The slow side: a counter with a mutex.

import "sync"

// Counter counts items. All methods may be called from any goroutine.
type Counter interface {
	Inc()
	Value() int64
}

// Slow is a counter with a mutex: everybody who counts waits for everybody else, each time, and may
// be put to sleep for it.
type Slow struct {
	mu sync.Mutex // guards n
	n  int64
}

// Inc adds one.
func (s *Slow) Inc() {
	s.mu.Lock()
	s.n++
	s.mu.Unlock()
}

// Value returns the count.
func (s *Slow) Value() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}
