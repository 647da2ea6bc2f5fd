package kafkasink_test

// Brokers that keep produce requests without an answer, their connections open.

import (
	"net"
	"sync"
)

// holder is between the brokers and the network.
type holder struct {
	mu   sync.Mutex // guards the field below
	hold *hold      // nil while nothing is held
}

// hold is one time of holding.
type hold struct {
	began chan struct{} // closed when the first request is held
	first sync.Once     // for began
	over  chan struct{} // closed by resume
}

// hang makes the brokers hold produce requests. began is closed when the first one has come; resume
// lets all go on. It may be called several times.
func (h *holder) hang() (began <-chan struct{}, resume func()) {
	now := &hold{began: make(chan struct{}), over: make(chan struct{})}
	h.set(now)
	return now.began, sync.OnceFunc(func() {
		h.set(nil)
		close(now.over)
	})
}

func (h *holder) set(now *hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hold = now
}

func (h *holder) current() *hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hold
}

func (h *holder) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, address)
	return &heldListener{inner, h}, err
}

type heldListener struct {
	net.Listener
	holder *holder
}

func (l *heldListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &heldConn{Conn: inner, holder: l.holder, closed: make(chan struct{})}, nil
}

// heldConn is read by one goroutine: first the four bytes of a request's size, then the request, of
// which the first two bytes say what it is. 0 is a produce request.
type heldConn struct {
	net.Conn
	holder    *holder
	beginning bool          // the next read begins a request
	closed    chan struct{} // closed by Close
	once      sync.Once     // for closed
}

func (c *heldConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.beginning && n > 1 && p[0] == 0 && p[1] == 0 {
		if hold := c.holder.current(); hold != nil {
			hold.first.Do(func() { close(hold.began) })
			select {
			case <-hold.over:
			case <-c.closed:
			}
		}
	}
	c.beginning = len(p) == 4
	return n, err
}

func (c *heldConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
