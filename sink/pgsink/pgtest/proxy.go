package pgtest

// A faulty network between a program and a server.

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy is a network between clients and a server, whose faults come on command. It knows TCP
// and nothing of PostgreSQL, so any server can stand behind it. All methods may be called from
// several goroutines at once.
//
// It is written here and not taken from toxiproxy, for two reasons: that brings sixteen further
// modules (a metrics client, a router, a logger) to all who use this one, and it has no fault
// that loses the answer to a certain request, which is how a commit gets lost from sight.
type Proxy struct {
	target string
	addr   string
	work   sync.WaitGroup // the goroutines

	mu       sync.Mutex // guards the fields below; never held while waiting or sending
	closed   bool
	listener net.Listener // nil: connections are refused
	links    map[*link]bool
	latency  time.Duration
	flowing  chan struct{} // closed: bytes are let through; open: they are held
	cut      *cut          // nil: none is waited for
}

// cut is a cut that is waited for.
type cut struct {
	left    int           // bytes from clients until then; not used if text is set
	text    string        // what the request must contain whose answer is lost
	armed   bool          // such a request has gone through
	happens chan struct{} // closed when it happens
}

// NewProxy starts a proxy for the server at addr, such as [Server.Addr]. At first it lets everything
// through. It ends with the test, and all its connections with it.
func NewProxy(t testing.TB, addr string) *Proxy {
	t.Helper()
	p := &Proxy{
		target:  addr,
		addr:    fmt.Sprintf("127.0.0.1:%d", freePort()),
		links:   make(map[*link]bool),
		flowing: make(chan struct{}),
	}
	close(p.flowing)
	if err := p.listen(); err != nil {
		t.Fatalf("pgtest: start a proxy: %v", err)
	}
	t.Cleanup(p.close)
	return p
}

// Addr returns the address that clients connect to.
func (p *Proxy) Addr() string { return p.addr }

// DSN returns the connection string with the proxy's address in place of the server's. It fits
// those of [Server.DSN] and [Server.NewDatabase], and other URLs.
func (p *Proxy) DSN(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		panic("pgtest: Proxy.DSN needs a URL")
	}
	u.Host = p.addr
	return u.String()
}

// Latency holds everything back for d on its way, in both directions: each piece of up to 32 KiB
// by itself, so that much data also takes longer. 0 ends it.
func (p *Proxy) Latency(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency = d
}

// Cut cuts all connections that there are with a reset. New ones are taken.
func (p *Proxy) Cut() {
	for _, l := range p.current() {
		l.reset()
	}
}

// CutAfter cuts all connections, once, as soon as clients have sent n more bytes, of which the
// server still gets these n. The channel is closed when that happens. It takes the place of an
// earlier CutAfter or CutReplyTo.
func (p *Proxy) CutAfter(n int) <-chan struct{} { return p.await(&cut{left: n}) }

// CutReplyTo cuts all connections, once, when the server begins to answer a request that contains
// the text: it has received the request, and the client never hears of it. (The text is looked for
// in each piece of data that is read, which holds small requests whole.) With "commit" the
// outcome of a transaction is lost. The channel is closed when that happens. It takes the place of
// an earlier CutAfter or CutReplyTo.
func (p *Proxy) CutReplyTo(text string) <-chan struct{} { return p.await(&cut{text: text}) }

func (p *Proxy) await(c *cut) <-chan struct{} {
	c.happens = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = c
	return c.happens
}

// Blackhole lets nothing through any more, in either direction. Connections stay open, and new
// ones are taken, as by a network that loses all packets. [Proxy.Restore] delivers what was held.
func (p *Proxy) Blackhole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flowing:
		p.flowing = make(chan struct{})
	default: // it is one already
	}
}

// Refuse makes new connections be refused. Those that there are go on; see [Proxy.Cut].
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// Restore ends all faults, and forgets a cut that has not happened.
func (p *Proxy) Restore(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	p.latency, p.cut = 0, nil
	p.flow()
	refusing := p.listener == nil
	p.mu.Unlock()
	if !refusing {
		return
	}
	if err := p.listen(); err != nil {
		t.Fatalf("pgtest: start the proxy again: %v", err)
	}
}

// flow ends a black hole. The lock is held.
func (p *Proxy) flow() {
	select {
	case <-p.flowing:
	default:
		close(p.flowing)
	}
}

// listen opens the port and takes connections.
func (p *Proxy) listen() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.listener != nil {
		return l.Close()
	}
	p.listener = l
	p.work.Go(func() { p.accept(l) })
	return nil
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.connect(client.(*net.TCPConn)) })
	}
}

// connect connects a client to the server. If the server takes no connections, the client's is
// cut.
func (p *Proxy) connect(client *net.TCPConn) {
	l := &link{proxy: p, client: client, over: make(chan struct{})}
	if !p.enter(l) {
		l.reset()
		return
	}
	defer p.leave(l)
	server, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		l.reset()
		return
	}
	l.run(server.(*net.TCPConn))
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.links[l] = true
	}
	return !p.closed
}

func (p *Proxy) leave(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

func (p *Proxy) current() (links []*link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

// allow decides about a piece of data: how much of it may go, and which cut comes then, if any.
func (p *Proxy) allow(data []byte, fromClient bool) (n int, happens *cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cut
	switch {
	case c == nil:
		return len(data), nil
	case c.text != "" && fromClient:
		c.armed = c.armed || bytes.Contains(data, []byte(c.text))
		return len(data), nil
	case c.text != "" && c.armed:
		p.cut = nil
		return 0, c
	case c.text == "" && fromClient:
		n = min(len(data), c.left)
		if c.left -= n; c.left == 0 {
			p.cut = nil
			return n, c
		}
		return n, nil
	}
	return len(data), nil
}

// hold returns what holds data back: a time, and a channel that is closed when it may go on.
func (p *Proxy) hold() (time.Duration, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latency, p.flowing
}

// close ends everything and waits for it.
func (p *Proxy) close() {
	p.Refuse()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.work.Wait()
}
