package slow_json

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/examples/exercises/04_slow_json/eventpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// variant is one of the ways.
type variant struct {
	name string
	make func(t testing.TB, client *http.Client, url string) batcher.FlushFunc[Event]
}

// variants are all of them; jsonv2_test.go adds one.
var variants = []variant{
	{"slow", sender((*Sender).WriteSlow)},
	{"stream", sender((*Sender).WriteStream)},
	{"easyjson", sender((*Sender).WriteEasyJSON)},
	{"protobuf", sender((*Sender).WriteProto)},
	{"httpsink-json", func(t testing.TB, client *http.Client, url string) batcher.FlushFunc[Event] {
		sink, err := NewDefault(client, url)
		require.NoError(t, err)
		return sink.Write
	}},
	{"fast", func(t testing.TB, client *http.Client, url string) batcher.FlushFunc[Event] {
		sink, err := NewFast(client, url)
		require.NoError(t, err)
		return sink.Write
	}},
}

func sender(
	write func(*Sender, context.Context, []Event) error,
) func(testing.TB, *http.Client, string) batcher.FlushFunc[Event] {
	return func(_ testing.TB, client *http.Client, url string) batcher.FlushFunc[Event] {
		s := NewSender(client, url)
		return func(ctx context.Context, batch []Event) error { return write(s, ctx, batch) }
	}
}

// makeEvents returns n events, the same ones each time.
func makeEvents(n int) []Event {
	actions := []string{"login", "view", "update", "export", "logout"}
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{
			UserID: fmt.Sprintf("user-%06d", i*7919%100_000),
			Action: actions[i%len(actions)],
			Time:   time.Date(2026, 3, 1, 12, 0, 0, i*1_000_003, time.UTC),
			Metadata: map[string]string{
				"ip":    fmt.Sprintf("10.0.%d.%d", i>>8&255, i&255),
				"agent": "Firefox/128.0",
			},
		}
	}
	return events
}

// oddEvents are those that an encoder may get wrong.
func oddEvents() []Event {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return []Event{
		{Time: at},
		{UserID: "quote \" backslash \\ <html> & line\nfeed", Action: "tab\t\x01\x7f", Time: at},
		{UserID: "Zoë 世界 \u2028 🙂", Action: "", Time: at.Add(time.Nanosecond)},
		{UserID: "a", Action: "b", Time: at, Metadata: map[string]string{"": "", "k\"": "v\\", "ключ": "значение"}},
	}
}

// receiver is a server that keeps what it is sent.
type receiver struct {
	*httptest.Server
	bodies chan received
}

type received struct {
	contentType string
	body        []byte
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{bodies: make(chan received, 16)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.bodies <- received{req.Header.Get("Content-Type"), body}
	}))
	t.Cleanup(r.Close)
	return r
}

// decode reads a body as its Content-Type says, with none of the code that has written it.
func decode(t *testing.T, got received) (events []Event) {
	t.Helper()
	switch got.contentType {
	case "application/json":
		require.NoError(t, json.Unmarshal(got.body, &events))
	case "application/x-ndjson":
		dec := json.NewDecoder(bytes.NewReader(got.body))
		for {
			var e Event
			if err := dec.Decode(&e); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err)
			}
			events = append(events, e)
		}
	case "application/x-protobuf":
		in := bufio.NewReader(bytes.NewReader(got.body))
		for {
			var m eventpb.Event
			if err := protodelim.UnmarshalFrom(in, &m); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err)
			}
			events = append(events, Event{m.UserId, m.Action, time.Unix(0, m.TimeUnixNano).UTC(), m.Metadata})
		}
	default:
		require.Fail(t, "unknown content type", got.contentType)
	}
	return events
}

func TestAllWaysSendTheSameEvents(t *testing.T) {
	want := append(makeEvents(500), oddEvents()...)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			r := newReceiver(t)
			write := v.make(t, r.Client(), r.URL)
			for range 3 { // with buffers that were used before
				require.NoError(t, write(t.Context(), want))
				assert.Equal(t, want, decode(t, <-r.bodies))
			}
		})
	}
}

func TestARefusedBatchIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			err := v.make(t, server.Client(), server.URL)(t.Context(), makeEvents(10))
			assert.ErrorContains(t, err, "500")
		})
	}
}

// A year of five digits has no place in RFC 3339, nor in the nanoseconds of the message.
func TestOneBadItemFailsTheBatchButNotWithTheSink(t *testing.T) {
	batch := makeEvents(10)
	batch[3].Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := append(makeEvents(3), makeEvents(10)[4:]...)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			r := newReceiver(t)
			err := v.make(t, r.Client(), r.URL)(t.Context(), batch)
			switch v.name {
			case "fast", "httpsink-json":
				var partial *batcher.PartialError
				require.ErrorAs(t, err, &partial)
				assert.Len(t, partial.Errs, 1)
				assert.ErrorContains(t, partial.Errs[3], "year")
				assert.Equal(t, good, decode(t, <-r.bodies))
			default:
				assert.ErrorContains(t, err, "year")
				assert.Empty(t, r.bodies, "nothing was sent")
			}
		})
	}
}

func TestTheAppendingEncoderAllocatesNothing(t *testing.T) {
	e := makeEvents(1)[0]
	dst := make([]byte, 0, 4096)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := appendEvent(dst, e); err != nil {
			t.Error(err)
		}
	}))
	assert.Positive(t, testing.AllocsPerRun(100, func() { _, _ = json.Marshal(&e) }))
}
