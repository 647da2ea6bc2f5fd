package pgtest_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// server is a TCP server that a test plays by hand.
type server struct {
	net.Listener
	conns chan net.Conn
}

func newServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{l, make(chan net.Conn)}
	go func() {
		defer close(s.conns)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns <- conn
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		for conn := range s.conns {
			_ = conn.Close()
		}
	})
	return s
}

// pair returns both ends of a connection through the proxy.
func pair(t *testing.T, p *pgtest.Proxy, s *server) (client, served net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	served = <-s.conns
	for _, conn := range []net.Conn{client, served} {
		require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
		t.Cleanup(func() { _ = conn.Close() })
	}
	return client, served
}

func send(t *testing.T, to net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(to, text)
	require.NoError(t, err)
}

func receive(t *testing.T, from net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	_, err := io.ReadFull(from, got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

// silent checks that nothing comes.
func silent(t *testing.T, from net.Conn) {
	t.Helper()
	require.NoError(t, from.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	n, err := from.Read(make([]byte, 1))
	require.ErrorContains(t, err, "i/o timeout")
	require.Zero(t, n)
	require.NoError(t, from.SetReadDeadline(time.Now().Add(soon)))
}

// isCut checks that the connection was reset, and that nothing came before.
func isCut(t *testing.T, from net.Conn) {
	t.Helper()
	n, err := from.Read(make([]byte, 1))
	require.ErrorContains(t, err, "connection reset")
	require.Zero(t, n)
}

func TestAHealthyProxyCarriesEverythingAndEnds(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	long := strings.Repeat("0123456789", 100_000)
	go func() {
		_, _ = io.WriteString(client, long)
		_ = client.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(served)
	require.NoError(t, err)
	assert.Equal(t, long, string(got))
	send(t, served, "the other half is still open")
	require.NoError(t, served.Close())
	got, err = io.ReadAll(client)
	require.NoError(t, err)
	assert.Equal(t, "the other half is still open", string(got))
}

func TestCutResetsBothSides(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	send(t, client, "x")
	receive(t, served, "x")
	p.Cut()
	isCut(t, client)
	isCut(t, served)
	client, served = pair(t, p, s)
	send(t, client, "new connections are taken")
	receive(t, served, "new connections are taken")
}

func TestCutAfterLetsSoManyBytesThrough(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	other, otherServed := pair(t, p, s)
	happens := p.CutAfter(5)
	send(t, served, "the server's bytes do not count")
	receive(t, client, "the server's bytes do not count")
	send(t, client, "123")
	receive(t, served, "123")
	select {
	case <-happens:
		t.Fatal("too early")
	default:
	}
	send(t, other, "4567")
	<-happens
	receive(t, otherServed, "45")
	for _, conn := range []net.Conn{client, served, other, otherServed} {
		isCut(t, conn)
	}
	client, served = pair(t, p, s)
	send(t, client, "once only")
	receive(t, served, "once only")
}

func TestCutReplyToLosesTheAnswerAndNotTheRequest(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	happens := p.CutReplyTo("commit")
	send(t, client, "begin")
	receive(t, served, "begin")
	send(t, served, "begun")
	receive(t, client, "begun")
	send(t, client, "please commit this")
	receive(t, served, "please commit this")
	send(t, served, "done")
	<-happens
	isCut(t, client)
	isCut(t, served)
}

func TestLatencyHoldsBothDirectionsBack(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	const d = 50 * time.Millisecond
	p.Latency(d)
	began := time.Now()
	send(t, client, "there")
	receive(t, served, "there")
	send(t, served, "and back")
	receive(t, client, "and back")
	assert.GreaterOrEqual(t, time.Since(began), 2*d)
	p.Latency(time.Hour)
	send(t, client, "never")
	silent(t, served)
	p.Cut() // does not wait for it
	isCut(t, client)
}

func TestABlackHoleHoldsEverythingUntilItIsRestored(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	p.Blackhole()
	p.Blackhole()
	send(t, client, "one")
	silent(t, served)
	send(t, served, "two")
	silent(t, client)
	newClient, newServed := pair(t, p, s)
	send(t, newClient, "three")
	silent(t, newServed)
	p.Restore(t)
	receive(t, served, "one")
	receive(t, client, "two")
	receive(t, newServed, "three")
	p.Blackhole()
	p.Cut()
	isCut(t, client)
}

func TestRefuseRefusesNewConnectionsOnly(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	p.Refuse()
	_, err := net.Dial("tcp", p.Addr())
	require.ErrorContains(t, err, "refused")
	send(t, client, "old ones go on")
	receive(t, served, "old ones go on")
	p.Restore(t)
	p.Restore(t)
	client, served = pair(t, p, s)
	send(t, client, "welcome back")
	receive(t, served, "welcome back")
}

func TestAProxyWithoutAServerCutsItsClients(t *testing.T) {
	s := newServer(t)
	addr := s.Addr().String()
	require.NoError(t, s.Close())
	client, err := net.Dial("tcp", pgtest.NewProxy(t, addr).Addr())
	if err != nil { // it was cut so soon that Dial has noticed
		require.ErrorIs(t, err, syscall.ECONNRESET)
		return
	}
	defer client.Close()
	isCut(t, client)
}

func TestRestoreForgetsACutThatHasNotHappened(t *testing.T) {
	s := newServer(t)
	p := pgtest.NewProxy(t, s.Addr().String())
	client, served := pair(t, p, s)
	p.CutAfter(3)
	p.Restore(t)
	send(t, client, "longer than that")
	receive(t, served, "longer than that")
}

func TestAServerIsReachedThroughAProxy(t *testing.T) {
	server := pgtest.Shared(t)
	p := pgtest.NewProxy(t, server.Addr())
	dsn := server.NewDatabase(t)
	conn := connect(t, p.DSN(dsn))
	run(t, conn, "CREATE TABLE events (n int)")
	happens := p.CutReplyTo("COMMIT")
	_, err := conn.Exec(within(t, soon), "BEGIN; INSERT INTO events VALUES (1); COMMIT")
	require.Error(t, err)
	<-happens
	assert.Equal(t, 1, number(t, connect(t, dsn), "SELECT count(*) FROM events"), "it was committed")
	assert.Panics(t, func() { p.DSN("host=localhost") })
}
