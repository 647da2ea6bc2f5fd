package pgtest

// One connection through a proxy.

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is a connection of a client, and the one to the server that belongs to it.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	over   chan struct{} // closed by reset

	mu     sync.Mutex   // guards the fields below
	server *net.TCPConn // nil: not there yet
	ended  bool
}

// run carries data both ways until one side ends.
func (l *link) run(server *net.TCPConn) {
	l.mu.Lock()
	l.server = server
	ended := l.ended
	l.mu.Unlock()
	if ended {
		_ = server.Close()
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() { l.carry(server, l.client, false) })
	l.carry(l.client, server, true)
	answers.Wait()
	_ = server.Close()
	_ = l.client.Close()
}

// carry carries data one way. When one side has said all it has to say, the other side is told
// so; anything else ends the link.
func (l *link) carry(from, to *net.TCPConn, fromClient bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		switch {
		case n > 0 && !l.pass(buffer[:n], to, fromClient):
			l.reset()
			return
		case errors.Is(err, io.EOF) && l.wait() && to.CloseWrite() == nil:
			return
		case err != nil:
			l.reset()
			return
		}
	}
}

// pass sends a piece of data on, as late as the proxy says, and reports whether the link goes on.
func (l *link) pass(data []byte, to *net.TCPConn, fromClient bool) bool {
	if !l.wait() {
		return false
	}
	n, cut := l.proxy.allow(data, fromClient)
	if _, err := to.Write(data[:n]); err != nil {
		return false
	}
	if cut != nil {
		l.proxy.Cut()
		close(cut.happens)
	}
	return cut == nil
}

// wait waits as long as data is held back. It reports false if the link is cut meanwhile.
func (l *link) wait() bool {
	latency, flowing := l.proxy.hold()
	if latency > 0 {
		timer := time.NewTimer(latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.over:
			return false
		}
	}
	select {
	case <-flowing:
		return true
	case <-l.over:
		return false
	}
}

// reset ends both connections. Both sides see a reset, not an orderly end.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.over)
	for _, conn := range []*net.TCPConn{l.client, l.server} {
		if conn != nil {
			_ = conn.SetLinger(0)
			_ = conn.Close()
		}
	}
}
