package natssink_test

// What arrives, and what is refused.

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/natssink"
)

func TestAMessageArrivesAsItWasDescribed(t *testing.T) {
	_, js := connect(t, newServer(t))
	makeStream(t, js)
	header := nats.Header{"Colour": {"red", "blue"}}
	plain := &nats.Msg{Subject: "events.a"} // used again for every item
	sink, err := natssink.New(js, func(i int) (*nats.Msg, error) {
		plain.Data = append(plain.Data[:0], byte('0'+i))
		plain.Header = nil
		if i == 1 {
			plain.Header = header
		}
		return plain, nil
	}, natssink.WithMessageID(func(i int) string { return []string{"zero", "one", ""}[i] }),
		natssink.WithExpectedStream(streamName))
	require.NoError(t, err)
	require.NoError(t, sink.Write(t.Context(), []int{0, 1, 2}))
	assert.Len(t, header, 1, "the user's header is as it was")

	all := stored(t, js)
	require.Len(t, all, 3)
	for i, m := range all {
		assert.Equal(t, string(rune('0'+i)), string(m.Data()))
		assert.Equal(t, "events.a", m.Subject())
	}
	assert.Equal(t, "zero", all[0].Headers().Get(jetstream.MsgIDHeader))
	assert.Equal(t, "one", all[1].Headers().Get(jetstream.MsgIDHeader))
	assert.Equal(t, []string{"red", "blue"}, all[1].Headers()["Colour"])
	assert.Empty(t, all[2].Headers().Get(jetstream.MsgIDHeader))
}

func TestDuplicatesCountAsWritten(t *testing.T) {
	_, js := connect(t, newServer(t))
	makeStream(t, js)
	sink := newSink(t, js)
	require.NoError(t, sink.Write(t.Context(), events(50)))
	require.NoError(t, sink.Write(t.Context(), events(100)), "half of it is there already")
	got := ids(t, js)
	assert.Len(t, got, 100)
	assert.True(t, slices.IsSorted(got))
}

func TestItemsThatCannotBePublishedFailAlone(t *testing.T) {
	_, js := connect(t, newServer(t, func(o *server.Options) { o.MaxPayload = 1000 }))
	makeStream(t, js)
	sink, err := natssink.New(js, func(e event) (*nats.Msg, error) {
		switch e.ID {
		case "nil":
			return nil, nil
		case "reply":
			return &nats.Msg{Subject: "events.a", Reply: "here"}, nil
		case "header":
			return &nats.Msg{Subject: "events.a", Header: nats.Header{"a b:": {"c"}}}, nil
		}
		return describe(e)
	})
	require.NoError(t, err)
	batch := append(events(2),
		event{ID: "bad"}, event{ID: "nil"}, event{ID: "reply"}, event{ID: "header"},
		event{ID: strings.Repeat("x", 2000), Subject: "events.a"})
	for _, subject := range []string{"", ".", "events.", "events..a", "events.*", "events.>", "events a", "events.\n"} {
		batch = append(batch, event{"subject", subject})
	}
	batch = append(batch, events(4)[2:]...)
	errs := partial(t, sink.Write(t.Context(), batch))
	assert.Len(t, errs, len(batch)-4)
	for i, err := range errs {
		assert.True(t, batcher.IsPermanent(err), "%d: %v", i, err)
	}
	assert.ErrorIs(t, errs[2], errBad)
	assert.ErrorIs(t, errs[6], nats.ErrMaxPayload)
	assert.Equal(t, []string{"e000000", "e000001", "e000002", "e000003"}, ids(t, js))
}

func TestMessagesOfSeveralStreamsAreJudgedApart(t *testing.T) {
	_, js := connect(t, newServer(t))
	makeStream(t, js)
	sink := newSink(t, js)
	batch := events(10)
	batch[3].Subject, batch[7].Subject = "nobody.listens", "nobody.listens"
	errs := partial(t, sink.Write(t.Context(), batch))
	require.Len(t, errs, 2)
	for _, i := range []int{3, 7} {
		assert.ErrorIs(t, errs[i], jetstream.ErrNoStreamResponse)
		assert.False(t, batcher.IsPermanent(errs[i]), "a stream without a leader looks the same")
	}
	assert.Len(t, ids(t, js), 8)
}

func TestABatchLargerThanTheWindowIsWritten(t *testing.T) {
	_, js := connect(t, newServer(t))
	makeStream(t, js)
	sink := newSink(t, js, natssink.WithMaxPending(7))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() { assert.NoError(t, sink.Write(t.Context(), events(2000)[w*500:(w+1)*500])) })
	}
	wg.Wait()
	requireEachOnce(t, js, 2000)
}

func TestCheckTellsEarlyWhatIsMissing(t *testing.T) {
	n := newServer(t)
	_, js := connect(t, n)
	sink := newSink(t, js)
	require.NoError(t, sink.Check(t.Context()))
	err := sink.Check(t.Context(), "events.a")
	assert.ErrorIs(t, err, jetstream.ErrStreamNotFound)
	assert.ErrorContains(t, err, `"events.a"`)
	makeStream(t, js)
	assert.NoError(t, sink.Check(t.Context(), "events.a", "events.b.c"))
	assert.Error(t, sink.Check(t.Context(), "events.a", "other"))
	assert.ErrorContains(t, sink.Check(t.Context(), "events.>"), "wildcard")

	expecting := newSink(t, js, natssink.WithExpectedStream("OTHER"))
	assert.ErrorIs(t, expecting.Check(t.Context()), jetstream.ErrStreamNotFound)
	makeStream(t, js, func(c *jetstream.StreamConfig) { c.Name, c.Subjects = "OTHER", []string{"other"} })
	assert.NoError(t, expecting.Check(t.Context(), "other"))
	assert.ErrorContains(t, expecting.Check(t.Context(), "events.a"), `not to the expected "OTHER"`)

	_, bare := connect(t, newServer(t, func(o *server.Options) { o.JetStream = false }))
	assert.Error(t, newSink(t, bare).Check(t.Context()))
}

func TestNewNamesAllThatIsWrong(t *testing.T) {
	_, js := connect(t, newServer(t))
	_, err := natssink.New[event](nil, nil, nil, natssink.WithMessageID(func(int) string { return "" }),
		natssink.WithMaxPending(0), natssink.WithAckTimeout(-1), natssink.WithExpectedStream("a.b"))
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.Len(t, lines(err), 8)
	for _, want := range []string{
		"natssink: ", "option 1 of 5 is nil", "WithMaxPending(0): must be from 1", "WithAckTimeout(-1ns): must not",
		`WithExpectedStream("a.b")`, "JetStream context is nil", "message function is nil",
		"a func(int) string, but this sink needs a func(natssink_test.event) string",
	} {
		assert.ErrorContains(t, err, want)
	}
	var noID func(event) string
	_, err = natssink.New(js, describe, natssink.WithMessageID(noID))
	assert.ErrorContains(t, err, "WithMessageID: the function is nil")
	var none *natsContext
	_, err = natssink.New(jetstream.JetStream(none), describe)
	assert.ErrorContains(t, err, "JetStream context is nil")
	_, err = natssink.New(jetstream.JetStream(&natsContext{}), describe)
	assert.ErrorContains(t, err, "no connection")
}

// natsContext is a JetStream context without anything in it.
type natsContext struct{ jetstream.JetStream }

func (*natsContext) Conn() *nats.Conn { return nil }

func TestAPanicOfTheMessageFunctionLeavesTheSinkIntact(t *testing.T) {
	_, js := connect(t, newServer(t))
	makeStream(t, js)
	boom := true
	sink, err := natssink.New(js, func(e event) (*nats.Msg, error) {
		if boom {
			panic("boom")
		}
		return describe(e)
	})
	require.NoError(t, err)
	assert.PanicsWithValue(t, "boom", func() { _ = sink.Write(t.Context(), events(2)) })
	boom = false
	require.NoError(t, sink.Write(t.Context(), events(2)))
	assert.Len(t, ids(t, js), 2)
}

func TestNothingIsSentIfTheContextHasEnded(t *testing.T) {
	_, js := connect(t, newServer(t))
	makeStream(t, js)
	sink := newSink(t, js)
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := sink.Write(ctx, events(2))
	assert.ErrorIs(t, err, cause)
	assert.ErrorIs(t, err, context.Canceled)
	assert.NoError(t, sink.Write(ctx, nil), "nothing to do")
	assert.Empty(t, ids(t, js))
}
