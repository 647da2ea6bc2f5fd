package natssink_test

// Servers in this process: one, or three in a cluster.

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// patience bounds what should take seconds at most, on a machine that is busy with other things.
const patience = 90 * time.Second

// node is a server that can be stopped and started again, at the same address and on the same store.
type node struct {
	t    testing.TB
	opts server.Options
	*server.Server
}

// newNode starts a server with JetStream. Its owner stops it.
func newNode(t testing.TB, change ...func(*server.Options)) *node {
	t.Helper()
	n := &node{t: t, opts: server.Options{
		Host: "127.0.0.1", Port: freePort(t), JetStream: true, StoreDir: t.TempDir(),
		NoLog: true, NoSigs: true, JetStreamMaxMemory: 1 << 28, JetStreamMaxStore: 1 << 28,
	}}
	for _, c := range change {
		c(&n.opts)
	}
	n.start()
	return n
}

func (n *node) start() {
	n.t.Helper()
	opts := n.opts // the server keeps it
	s, err := server.NewServer(&opts)
	require.NoError(n.t, err)
	s.Start()
	require.True(n.t, s.ReadyForConnections(patience))
	n.Server = s
}

func (n *node) stop() {
	n.Shutdown()
	n.WaitForShutdown()
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// newServer is newNode for the duration of the test.
func newServer(t testing.TB, change ...func(*server.Options)) *node {
	t.Helper()
	n := newNode(t, change...)
	t.Cleanup(func() { n.stop() })
	return n
}

// newCluster starts three servers, for the duration of the test, and waits until they have agreed
// on a leader.
func newCluster(t testing.TB) []*node {
	t.Helper()
	const size = 3
	var routes []*url.URL
	ports := make([]int, size)
	for i := range ports {
		ports[i] = freePort(t)
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", ports[i])})
	}
	nodes := make([]*node, size)
	for i := range nodes {
		nodes[i] = newServer(t, func(o *server.Options) {
			o.ServerName = fmt.Sprintf("n%d", i)
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]}
			o.Routes = routes
		})
	}
	require.Eventually(t, func() bool {
		for _, n := range nodes {
			if n.JetStreamIsLeader() && len(n.JetStreamClusterPeers()) == size {
				return true
			}
		}
		return false
	}, patience, 10*time.Millisecond)
	return nodes
}

// dial connects to the nodes, and reconnects soon and for ever. The caller closes the connection.
func dial(t testing.TB, opts []nats.Option, nodes ...*node) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	var urls string
	for i, n := range nodes {
		if i > 0 {
			urls += ","
		}
		urls += fmt.Sprintf("nats://127.0.0.1:%d", n.opts.Port)
	}
	nc, err := nats.Connect(urls, append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the tests look for themselves
	}, opts...)...)
	require.NoError(t, err)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return nc, js
}

// connect is dial for the duration of the test.
func connect(t testing.TB, nodes ...*node) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, js := dial(t, nil, nodes...)
	t.Cleanup(nc.Close)
	return nc, js
}
