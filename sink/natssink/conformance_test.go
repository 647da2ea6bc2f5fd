package natssink_test

// The suite that every sink passes, and the classification of errors.

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/natssink"
)

func TestConformance(t *testing.T) {
	batchertest.TestSink(t, batchertest.SinkTest[event]{
		Open:       open,
		Item:       eventNo,
		Key:        idOf,
		BadItem:    func(int) event { return event{ID: "bad"} },
		Idempotent: true,
		Ordered:    true,
		Failures:   classification(),
	})
}

// open starts a server with a stream.
func open(t testing.TB) batchertest.Target[event] {
	n, between := newNode(t), new(network)
	nc, js := dial(t, []nats.Option{nats.SetCustomDialer(between)}, n)
	makeStream(t, js)
	sink := newSink(t, js)
	return batchertest.Target[event]{
		Write: sink.Write,
		Stored: func(t testing.TB) []string {
			nc, js := dial(t, nil, n)
			defer nc.Close()
			return ids(t, js)
		},
		Hang: func(testing.TB) func() { return between.hang() },
		Close: func() {
			nc.Close()
			n.stop()
		},
	}
}

func classification() []batchertest.Failure {
	full := func(c *jetstream.StreamConfig) { c.MaxMsgs, c.Discard = 1, jetstream.DiscardNew }
	small := func(c *jetstream.StreamConfig) { c.MaxMsgSize = 5 }
	sealed := func(c *jetstream.StreamConfig) {
		c.MaxMsgsPerSubject, c.Discard, c.DiscardNewPerSubject = 1, jetstream.DiscardNew, true
	}
	other := natssink.WithExpectedStream("OTHER")
	return []batchertest.Failure{
		{Name: "no stream listens on the subject", Want: batchertest.Transient,
			Provoke: func(t testing.TB) error { return provoke(t, nil, nil) }},
		{Name: "the stream is full", Want: batchertest.Partial,
			Provoke: func(t testing.TB) error { return provoke(t, full, nil) }},
		{Name: "the stream is full already", Want: batchertest.Throttled,
			Provoke: func(t testing.TB) error { return provoke(t, full, nil, events(1)...) }},
		{Name: "the subject is full", Want: batchertest.Throttled,
			Provoke: func(t testing.TB) error { return provoke(t, sealed, nil, events(5)...) }},
		{Name: "the messages are too large for the stream", Want: batchertest.Partial,
			Provoke: func(t testing.TB) error { return provoke(t, small, nil) }},
		{Name: "it is another stream than expected", Want: batchertest.Partial,
			Provoke: func(t testing.TB) error { return provoke(t, everything, other) }},
		{Name: "the connection is closed", Want: batchertest.Transient, Provoke: writeClosed},
		{Name: "the sink is closed", Want: batchertest.Transient, Provoke: writeClosedSink},
		{Name: "no acknowledgement comes", Want: batchertest.Transient, Provoke: writeUnanswered},
		{Name: "the answer is not JetStream's", Want: batchertest.Transient, Provoke: writeToAPlainResponder},
		{Name: "the message is above the server's limit", Want: batchertest.Partial, Provoke: writeTooLarge},
	}
}

func everything(*jetstream.StreamConfig) {}

// provoke writes five events, after others, to a stream as described; to none if it is nil.
func provoke(t testing.TB, stream func(*jetstream.StreamConfig), opt natssink.Option, before ...event) error {
	n := newNode(t)
	defer n.stop()
	nc, js := dial(t, nil, n)
	defer nc.Close()
	if stream != nil {
		makeStream(t, js, stream)
	}
	opts := []natssink.Option{natssink.WithAckTimeout(patience)}
	if opt != nil {
		opts = append(opts, opt)
	}
	sink, err := natssink.New(js, describe, opts...)
	require.NoError(t, err)
	require.NoError(t, sink.Write(context.Background(), before))
	return sink.Write(context.Background(), events(5))
}

func writeClosed(t testing.TB) error {
	n := newNode(t)
	defer n.stop()
	nc, js := dial(t, nil, n)
	sink := newSink(t, js)
	nc.Close()
	return sink.Write(context.Background(), events(5))
}

func writeClosedSink(t testing.TB) error {
	n := newNode(t)
	defer n.stop()
	nc, js := dial(t, nil, n)
	defer nc.Close()
	makeStream(t, js)
	sink := newSink(t, js)
	require.NoError(t, sink.Write(context.Background(), events(5)))
	require.NoError(t, sink.Close())
	require.NoError(t, sink.Close())
	return sink.Write(context.Background(), events(5))
}

// writeUnanswered writes to a subscriber that is no stream and says nothing.
func writeUnanswered(t testing.TB) error {
	n := newNode(t)
	defer n.stop()
	nc, js := dial(t, nil, n)
	defer nc.Close()
	_, err := nc.Subscribe("events.>", func(*nats.Msg) {})
	require.NoError(t, err)
	err = newSink(t, js, natssink.WithAckTimeout(50*time.Millisecond)).Write(context.Background(), events(5))
	require.ErrorIs(t, err, natssink.ErrAckTimeout)
	return err
}

func writeToAPlainResponder(t testing.TB) error {
	n := newNode(t)
	defer n.stop()
	nc, js := dial(t, nil, n)
	defer nc.Close()
	_, err := nc.Subscribe("events.>", func(m *nats.Msg) { _ = m.Respond([]byte("thanks")) })
	require.NoError(t, err)
	err = newSink(t, js).Write(context.Background(), events(5))
	require.ErrorIs(t, err, jetstream.ErrInvalidJSAck)
	return err
}

func writeTooLarge(t testing.TB) error {
	n := newNode(t, func(o *server.Options) { o.MaxPayload = 1000 })
	defer n.stop()
	nc, js := dial(t, nil, n)
	defer nc.Close()
	makeStream(t, js)
	sink, err := natssink.New(js, func(e event) (*nats.Msg, error) {
		return &nats.Msg{Subject: e.Subject, Data: bytes.Repeat([]byte(e.ID), 200)}, nil
	})
	require.NoError(t, err)
	return sink.Write(context.Background(), events(5))
}
