package batcher

// Producers that wait for room, and who is woken when there is some.

import (
	"context"
	"sync"
)

// waiter is one producer that waits for room.
type waiter struct {
	links[waiter]
	token chan struct{} // capacity 1: who unlists the waiter sends, without blocking; the waiter receives
	tried bool          // it was woken before, in vain: it keeps its place at the front
}

func (w *waiter) linked() *links[waiter] { return &w.links }

// waiters is the line of producers that wait for room. It is guarded by the
// engine's lock, except for the pool.
//
// Room is announced by tokens. Whoever is woken holds one, and
//   - spends it on a batch with room, its own or one that another opened; or
//   - finds the room gone again, and goes back to the front of the line; the
//     room was used, so nothing is lost; or
//   - leaves for another reason (its ctx ended, just as it was woken): then the
//     room may still be there, and it must pass the token on. See leave.
//
// Waking a single producer per batch freed would do as far as lost wake-ups go,
// but then the others only get in through the back door, and starve. So as many are
// woken as fit into the batch.
type waiters struct {
	line list[waiter, *waiter]
	pool sync.Pool // of *waiter, unlisted and without a token
}

// get returns a waiter, which put must take back.
func (ws *waiters) get() *waiter {
	if w, ok := ws.pool.Get().(*waiter); ok {
		return w
	}
	return &waiter{token: make(chan struct{}, 1)}
}

// put takes w back. It must be unlisted and its token received.
func (ws *waiters) put(w *waiter) {
	w.tried = false
	ws.pool.Put(w)
}

// joinLocked lists w: at the back, or at the front if it had its turn before.
func (ws *waiters) joinLocked(w *waiter) {
	if w.tried {
		ws.line.pushFront(w)
	} else {
		ws.line.pushBack(w)
	}
	w.tried = true
}

// wakeLocked hands out up to n tokens.
func (ws *waiters) wakeLocked(n int) {
	for ; n > 0; n-- {
		w := ws.line.popFront()
		if w == nil {
			return
		}
		w.token <- struct{}{}
	}
}

// leaveLocked ends w's waiting without success, listed or not. If it was woken,
// its token goes to the next one.
func (ws *waiters) leaveLocked(w *waiter) {
	if w.listed {
		ws.line.remove(w)
		return
	}
	select {
	case <-w.token:
	default: // received before; w found out later that it must go
	}
	ws.wakeLocked(1)
}

// wait waits for a token, or for the end of ctx.
func (w *waiter) wait(ctx context.Context) {
	select {
	case <-w.token:
	case <-ctx.Done():
	}
}
