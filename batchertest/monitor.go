package batchertest

// Waiting for a condition on what a lock guards.

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// monitor is a lock that knows who waits for a condition on what it guards. It is never held while
// waiting or in user code.
type monitor struct {
	mu      sync.Mutex // guards the field below, and what its owner says
	waiting []*waiter
}

// waiter is one goroutine that waits for have to reach n.
type waiter struct {
	n    int
	have func() int    // called with the lock held
	met  chan struct{} // closed by who takes the waiter off the list
}

// look runs f under the lock.
func (m *monitor) look(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// change runs f under the lock and wakes those who have been waiting for what it did. They are told
// even if another change follows before they run.
func (m *monitor) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	m.waiting = slices.DeleteFunc(m.waiting, func(w *waiter) bool {
		if w.have() < w.n {
			return false
		}
		close(w.met)
		return true
	})
}

// await waits for have to reach n, as "Waiting" in the package documentation has it.
func (m *monitor) await(ctx context.Context, method string, n int, have func() int) error {
	mustHaveContext(ctx, method)
	w := &waiter{n: n, have: have, met: make(chan struct{})}
	m.change(func() { m.waiting = append(m.waiting, w) })
	select {
	case <-w.met:
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.waiting, w)
	if i < 0 {
		return nil // met, even if both channels were ready
	}
	m.waiting = slices.Delete(m.waiting, i, i+1)
	return fmt.Errorf("batchertest: %s: %d of %d: %w", method, have(), n, context.Cause(ctx))
}
