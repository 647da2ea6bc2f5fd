package natssink

// One batch under way: which messages are answered, and how.

import (
	"sync"

	"github.com/nats-io/nats.go"
)

// flight is used by three goroutines: its own, which publishes; the subscription's, which brings
// answers; and that of Write, which waits, and may stop it.
type flight struct {
	number uint64
	window chan struct{} // the publisher's
	done   chan struct{} // closed when every message is resolved
	quit   chan struct{} // closed by stop

	mu       sync.Mutex // guards the fields below; never held while waiting
	resolved []bool
	errs     []error // by message; nil for those that were stored
	open     int     // messages not resolved
	tokens   int     // tokens of the window that are held: one for each message admitted and not resolved
	admitted int     // messages that a token was taken for: the first ones
	begun    bool    // publishing has begun, so answers can be expected
	stopped  bool
}

func newFlight(number uint64, n int, window chan struct{}) *flight {
	return &flight{
		number: number, window: window, open: n,
		done: make(chan struct{}), quit: make(chan struct{}),
		resolved: make([]bool, n), errs: make([]error, n),
	}
}

// over returns a channel that is closed when nobody waits for the flight any more.
func (f *flight) over() <-chan struct{} { return f.quit }

func (f *flight) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun = true
}

// admit waits for room in the window for the next message. It reports false if there is nothing more
// to publish: the flight was stopped, or everything has failed, as it does when the connection is lost.
func (f *flight) admit(status <-chan nats.Status) bool {
	select {
	case f.window <- struct{}{}: // mostly there is room
	default:
		select {
		case f.window <- struct{}{}:
		case s, ok := <-status:
			f.lost(s, ok)
			return false
		case <-f.done:
			return false
		case <-f.quit:
			return false
		}
	}
	if !f.take() {
		<-f.window
		return false
	}
	select {
	case s, ok := <-status:
		return !f.lost(s, ok)
	default:
		return true
	}
}

// take makes the token that was just put into the window the flight's, if it has a use for it.
func (f *flight) take() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped || f.open == 0 {
		return false
	}
	f.admitted++
	f.tokens++
	return true
}

// watch waits for the end of the flight, or of the connection.
func (f *flight) watch(status <-chan nats.Status) {
	for {
		select {
		case s, ok := <-status:
			if f.lost(s, ok) {
				return
			}
		case <-f.done:
			return
		case <-f.quit:
			return
		}
	}
}

// lost fails the rest of the flight if s says that the connection is gone, and with it the answers.
func (f *flight) lost(s nats.Status, ok bool) bool {
	switch {
	case s == nats.CLOSED || !ok:
		f.failRest(nats.ErrConnectionClosed)
	case s == nats.RECONNECTING:
		f.failRest(nats.ErrDisconnected)
	default: // connected: an older piece of news
		return false
	}
	return true
}

// resolve settles message i, unless that was done before or nobody wants to know.
func (f *flight) resolve(i int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped && i >= 0 && i < len(f.resolved) {
		f.resolveLocked(i, err)
	}
}

// failRest settles all messages that are not settled yet.
func (f *flight) failRest(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return
	}
	for i := range f.resolved {
		f.resolveLocked(i, err)
	}
}

// resolveLocked settles message i and gives its token back. That cannot block: the token is there.
func (f *flight) resolveLocked(i int, err error) {
	if f.resolved[i] {
		return
	}
	f.resolved[i], f.errs[i] = true, err
	if i < f.admitted {
		f.tokens--
		<-f.window
	}
	f.open--
	if f.open == 0 {
		close(f.done)
	}
}

// stop ends the flight and gives all its tokens back. The answers that are still to come are not
// awaited by anyone. After it errs does not change.
func (f *flight) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return
	}
	f.stopped = true
	close(f.quit)
	for ; f.tokens > 0; f.tokens-- {
		<-f.window
	}
}

// progress says how many messages are settled, and whether answers can be expected.
func (f *flight) progress() (settled int, begun bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.resolved) - f.open, f.begun
}
