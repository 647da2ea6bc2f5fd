package natssink_test

// What goes wrong, and what becomes of the messages.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/natssink"
)

func TestWriteReturnsWhenItsContextEndsAndTheConnectionHangs(t *testing.T) {
	n, between := newServer(t), new(network)
	nc, js := dial(t, []nats.Option{nats.SetCustomDialer(between)}, n)
	t.Cleanup(nc.Close)
	_, own := connect(t, n)
	makeStream(t, own)
	sink := newSink(t, js, natssink.WithMaxPending(100), natssink.WithAckTimeout(0))
	require.NoError(t, sink.Write(t.Context(), events(1)))

	resume := between.hang()
	defer resume()
	cause := errors.New("no more time")
	for range 3 { // the second and third do not even get to publish
		ctx, cancel := context.WithCancelCause(t.Context())
		written := make(chan error, 1)
		go func() { written <- sink.Write(ctx, events(1000)) }()
		cancel(cause)
		err := <-written
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, batcher.IsPermanent(err))
	}
	resume()
	require.NoError(t, sink.Write(t.Context(), events(1000)), "the window is whole again")
	requireEachOnce(t, own, 1000)
}

func TestWriteWaitsForTheClientToReconnect(t *testing.T) {
	n := newServer(t)
	nc, js := connect(t, n)
	makeStream(t, js, func(c *jetstream.StreamConfig) { c.Storage = jetstream.FileStorage })
	sink := newSink(t, js)
	lost := nc.StatusChanged(nats.RECONNECTING)
	n.stop()
	<-lost
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, sink.Write(ctx, events(10)), context.DeadlineExceeded)

	written := make(chan error, 1)
	go func() { written <- sink.Write(t.Context(), events(20)) }()
	n.start()
	err := <-written
	for err != nil { // a server that has just started may not know its streams yet
		require.ErrorIs(t, err, jetstream.ErrNoStreamResponse)
		err = sink.Write(t.Context(), events(20))
	}
	requireEachOnce(t, js, 20)
}

func TestALostConnectionFailsWhatIsNotAcknowledged(t *testing.T) {
	n := newServer(t)
	nc, js := connect(t, n)
	came := make(chan struct{}, 10)
	sub, err := nc.Subscribe("events.>", func(m *nats.Msg) { came <- struct{}{} }) // no stream: no answers
	require.NoError(t, err)
	defer func() { _ = sub.Unsubscribe() }()
	sink := newSink(t, js)
	written := make(chan error, 1)
	go func() { written <- sink.Write(t.Context(), events(5)) }()
	<-came
	n.stop()
	err = <-written
	assert.ErrorIs(t, err, nats.ErrDisconnected)
	assert.False(t, batcher.IsPermanent(err))
	n.start() // for the end of the test
}

// load adds n events through a batcher while disturb is at work, and returns the ids of those
// that were given up.
func load(t *testing.T, js jetstream.JetStream, n int, disturb map[int]func(), opts ...batcher.Option) []string {
	t.Helper()
	sink := newSink(t, js, natssink.WithAckTimeout(time.Second))
	letters := batchertest.NewLetters[event]()
	b, err := batcher.New(sink.Write, append([]batcher.Option{
		batcher.WithMaxSize(100), batcher.WithWorkers(2), batcher.WithRetry(200, quickly),
		batcher.WithFlushTimeout(20 * time.Second), batcher.WithDeadLetter(letters.Handle),
	}, opts...)...)
	require.NoError(t, err)
	for i := range n {
		if d := disturb[i]; d != nil {
			d()
		}
		require.NoError(t, b.Add(t.Context(), eventNo(i)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, b.Close(ctx))
	stats := b.Stats()
	assert.EqualValues(t, n, stats.Added)
	assert.Equal(t, stats.Added, stats.Flushed+stats.Failed)
	var lost []string
	for _, letter := range letters.All() {
		for _, e := range letter.Items {
			lost = append(lost, e.ID)
		}
	}
	assert.EqualValues(t, stats.Failed, len(lost))
	return lost
}

func TestF50_AServerThatRestartsLosesNothingAndDoublesNothing(t *testing.T) {
	n := newServer(t)
	_, js := connect(t, n)
	makeStream(t, js, func(c *jetstream.StreamConfig) { c.Storage = jetstream.FileStorage })
	restart := func() {
		n.stop()
		n.start()
	}
	lost := load(t, js, 5000, map[int]func(){1000: restart, 3500: restart})
	assert.Empty(t, lost)
	requireEachOnce(t, js, 5000)
}

func TestF50_AClusterThatLosesANodeLosesNothingAndDoublesNothing(t *testing.T) {
	for _, role := range []string{"leader", "follower", "the client's own"} {
		t.Run(role, func(t *testing.T) {
			nodes := newCluster(t)
			nc, js := connect(t, nodes...)
			stream := makeStream(t, js, func(c *jetstream.StreamConfig) {
				c.Storage, c.Replicas = jetstream.FileStorage, 3
			})
			info, err := stream.Info(t.Context())
			require.NoError(t, err)
			var victim *node
			for _, n := range nodes {
				isLeader := n.Name() == info.Cluster.Leader
				if role == "leader" && isLeader || role == "follower" && !isLeader ||
					role == "the client's own" && n.Name() == nc.ConnectedServerName() {
					victim = n
				}
			}
			require.NotNil(t, victim)
			lost := load(t, js, 3000, map[int]func(){1000: victim.stop, 2500: victim.start})
			assert.Empty(t, lost)
			requireEachOnce(t, js, 3000)
		})
	}
}

func TestWithoutAStreamItemsAreGivenUpWhenTheAttemptsAreUsedUp(t *testing.T) {
	_, js := connect(t, newServer(t))
	lost := load(t, js, 50, nil, batcher.WithRetry(3, quickly))
	assert.Len(t, lost, 50)
	makeStream(t, js)
	assert.Empty(t, load(t, js, 50, nil), "and with one they are taken")
	requireEachOnce(t, js, 50)
}

func TestAFullStreamIsWaitedFor(t *testing.T) {
	_, js := connect(t, newServer(t))
	stream := makeStream(t, js, func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 100, jetstream.DiscardNew })
	purge := make(chan struct{}, 100)
	sink := newSink(t, js)
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(50), batcher.WithRetry(10, quickly),
		batcher.WithHooks(batcher.Hooks{
			Retry: func(_ context.Context, _ batcher.Info, wait time.Duration, err error) {
				assert.GreaterOrEqual(t, wait, time.Second, "%v", err)
				purge <- struct{}{}
			},
		}))
	require.NoError(t, err)
	seen := 0
	_, err = b.AddAll(t.Context(), events(130))
	require.NoError(t, err)
	<-purge // some consumer makes room
	seen += len(ids(t, js))
	require.NoError(t, stream.Purge(t.Context()))
	require.NoError(t, b.Close(t.Context()))
	seen += len(ids(t, js))
	assert.Equal(t, 130, seen)
	assert.EqualValues(t, 130, b.Stats().Flushed)
}

func TestF48_WithoutMessageIDsARetryStoresTwice(t *testing.T) {
	for _, withIDs := range []bool{false, true} {
		t.Run(fmt.Sprint("ids=", withIDs), func(t *testing.T) {
			n, between := newServer(t), new(network)
			nc, js := dial(t, []nats.Option{nats.SetCustomDialer(between)}, n)
			t.Cleanup(nc.Close)
			_, own := connect(t, n)
			makeStream(t, own)
			var opts []natssink.Option
			if withIDs {
				opts = append(opts, natssink.WithMessageID(idOf))
			}
			sink, err := natssink.New(js, describe, opts...)
			require.NoError(t, err)
			require.NoError(t, sink.Write(t.Context(), events(1)))
			resume := between.hang()
			defer resume()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, sink.Write(ctx, events(11)[1:]), context.DeadlineExceeded)
			resume()
			require.NoError(t, sink.Write(t.Context(), events(11)[1:]))
			if withIDs {
				requireEachOnce(t, own, 11)
			} else {
				assert.Greater(t, len(ids(t, own)), 11, "what was published could not be called back")
			}
		})
	}
}
