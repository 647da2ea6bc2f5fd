package kafkasink

// Who may produce when: Writes side by side, or one alone.

import (
	"context"
	"sync"
)

// gate is a lock for readers and a writer whose waits end with a context, and whose readers
// may leave on another goroutine. Who holds turn may let produce calls begin; the writer keeps it.
type gate struct {
	turn chan struct{} // capacity 1: full while someone has the turn

	mu     sync.Mutex    // guards the fields below; never held while waiting
	active int           // produce calls whose records the client has
	idle   chan struct{} // made by lock, closed when active becomes 0; else nil
}

func newGate() gate { return gate{turn: make(chan struct{}, 1)} }

// enter begins a produce call, which is to end with leave. It waits while another one has locked
// the gate.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ended(ctx)
	}
	g.begin()
	<-g.turn
	return nil
}

// begin is enter for who has the turn.
func (g *gate) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active++
}

// leave ends a produce call.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active--
	if g.active == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// lock waits until all produce calls have ended, those given up included, and lets no other one
// begin until unlock.
func (g *gate) lock(ctx context.Context) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ended(ctx)
	}
	select {
	case <-g.whenIdle():
		return nil
	case <-ctx.Done():
		g.unlock()
		return ended(ctx)
	}
}

// unlock gives the turn back.
func (g *gate) unlock() { <-g.turn }

// whenIdle returns a channel that is closed as soon as no produce call is active. Its caller has
// the turn, so it is the only one that waits.
func (g *gate) whenIdle() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	idle := make(chan struct{})
	if g.active == 0 {
		close(idle)
	} else {
		g.idle = idle
	}
	return idle
}
