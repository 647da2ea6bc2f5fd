package natssink_test

// What the tests share: items, streams, and looks into them.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/natssink"
)

const streamName = "EVENTS"

var (
	errBad  = errors.New("cannot be described")
	quickly = batcher.ExponentialBackoff(5*time.Millisecond, 200*time.Millisecond)
)

// event is known by its ID. One with the ID "bad" is refused by describe.
type event struct{ ID, Subject string }

func describe(e event) (*nats.Msg, error) {
	if e.ID == "bad" {
		return nil, errBad
	}
	return &nats.Msg{Subject: e.Subject, Data: []byte(e.ID)}, nil
}

func idOf(e event) string { return e.ID }

func eventNo(i int) event {
	return event{ID: fmt.Sprintf("e%06d", i), Subject: fmt.Sprintf("events.k%d", i%5)}
}

func events(n int) []event {
	all := make([]event, n)
	for i := range all {
		all[i] = eventNo(i)
	}
	return all
}

// makeStream makes a stream of events.>, in memory if nothing else is said.
func makeStream(t testing.TB, js jetstream.JetStream, change ...func(*jetstream.StreamConfig)) jetstream.Stream {
	t.Helper()
	cfg := jetstream.StreamConfig{
		Name: streamName, Subjects: []string{"events.>"}, Storage: jetstream.MemoryStorage,
	}
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for { // a new cluster may not be ready for it at once
		stream, err := js.CreateStream(ctx, cfg)
		if err == nil {
			return stream
		}
		require.NoError(t, ctx.Err(), "%v", err)
	}
}

// stored reads the whole stream, in its order. It begins again if that fails: a cluster may be without
// a leader for a while.
func stored(t testing.TB, js jetstream.JetStream) []jetstream.Msg {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		all, err := read(ctx, js)
		if err == nil {
			return all
		}
		require.NoError(t, ctx.Err(), "%v", err)
	}
}

func read(ctx context.Context, js jetstream.JetStream) (all []jetstream.Msg, err error) {
	stream, err := js.Stream(ctx, streamName)
	if err != nil {
		return nil, err
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	want := int(stream.CachedInfo().State.Msgs)
	for len(all) < want {
		fetched, err := consumer.Fetch(min(want-len(all), 500), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return nil, err
		}
		before := len(all)
		for m := range fetched.Messages() {
			all = append(all, m)
		}
		if err := fetched.Error(); err != nil {
			return nil, err
		}
		if len(all) == before {
			return nil, errors.New("no message in time")
		}
	}
	return all, nil
}

// ids returns the IDs of what is stored.
func ids(t testing.TB, js jetstream.JetStream) []string {
	t.Helper()
	ids := []string{}
	for _, m := range stored(t, js) {
		ids = append(ids, string(m.Data()))
	}
	return ids
}

// newSink returns a sink of events with message ids.
func newSink(t testing.TB, js jetstream.JetStream, opts ...natssink.Option) *natssink.Sink[event] {
	t.Helper()
	sink, err := natssink.New(js, describe, append([]natssink.Option{natssink.WithMessageID(idOf)}, opts...)...)
	require.NoError(t, err)
	return sink
}

// partial returns the errors of a PartialError.
func partial(t testing.TB, err error) map[int]error {
	t.Helper()
	var p *batcher.PartialError
	require.ErrorAs(t, err, &p)
	return p.Errs
}

// requireEachOnce checks that n events are there, none of them twice, in whatever order.
func requireEachOnce(t testing.TB, js jetstream.JetStream, n int) {
	t.Helper()
	got := ids(t, js)
	slices.Sort(got)
	require.Len(t, slices.Compact(slices.Clone(got)), n, "different events")
	require.Len(t, got, n, "messages")
}

// network is a dialer whose connections can be made to hang: neither reads nor writes come through,
// and deadlines do not help.
type network struct {
	mu   sync.Mutex    // guards the field below
	hung chan struct{} // closed by resume; nil while nothing hangs
}

func (n *network) Dial(network, address string) (net.Conn, error) {
	inner, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &hangingConn{Conn: inner, network: n, closed: make(chan struct{})}, nil
}

// hang makes all connections hang until resume is called.
func (n *network) hang() (resume func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	hung := make(chan struct{})
	n.hung = hung
	return sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.hung = nil
		close(hung)
	})
}

func (n *network) wait(closed <-chan struct{}) {
	n.mu.Lock()
	hung := n.hung
	n.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-closed:
		}
	}
}

type hangingConn struct {
	net.Conn
	network *network
	closed  chan struct{} // closed by Close
	once    sync.Once     // for closed
}

func (c *hangingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.network.wait(c.closed)
	return n, err
}

func (c *hangingConn) Write(p []byte) (int, error) {
	c.network.wait(c.closed)
	return c.Conn.Write(p)
}

func (c *hangingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// lines joins what New complains about.
func lines(err error) []string { return strings.Split(err.Error(), "\n") }
