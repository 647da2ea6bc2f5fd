package compression

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// variants are all ways.
var variants = []struct {
	name, encoding string
	make           func(t testing.TB, client *http.Client, url string) batcher.FlushFunc[Event]
}{
	{"slow", "", sender((*Sender).WriteSlow)},
	{"gzip-fresh", "gzip", sender((*Sender).WriteGzipFresh)},
	{"gzip-pooled", "gzip", sender((*Sender).WriteGzipPooled)},
	{"klauspost-gzip", "gzip", sender((*Sender).WriteKlauspostGzip)},
	{"zstd", "zstd", sender((*Sender).WriteZstd)},
	{"fast", "zstd", func(t testing.TB, client *http.Client, url string) batcher.FlushFunc[Event] {
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

// makeEvents returns n events with images of so many bytes, the same ones each time.
func makeEvents(n, image int) []Event {
	actions := []string{"login", "view", "update", "export", "logout"}
	random := rand.NewChaCha8([32]byte{12})
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{
			UserID: fmt.Sprintf("user-%06d", i*7919%100_000),
			Action: actions[i*31%97%len(actions)],
			Time:   time.Date(2026, 3, 1, 12, 0, 0, i*1_000_003, time.UTC),
			Metadata: map[string]string{
				"ip":    fmt.Sprintf("10.0.%d.%d", i*i>>8&255, i*i&255),
				"agent": "Firefox/128.0",
			},
		}
		if image > 0 {
			events[i].Image = make([]byte, image)
			_, _ = random.Read(events[i].Image) // cannot fail
		}
	}
	return events
}

// meter counts what arrives on the connections of a listener: the headers too, and all that TCP
// carries, but not its own packets.
type meter struct {
	net.Listener
	bytes atomic.Int64
}

func (m *meter) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	return meteredConn{conn, &m.bytes}, err
}

type meteredConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

// serve starts a server on loopback.
func serve(t testing.TB, handler http.HandlerFunc) (*httptest.Server, *meter) {
	server := httptest.NewUnstartedServer(handler)
	m := &meter{Listener: server.Listener}
	server.Listener = m
	server.Start()
	t.Cleanup(server.Close)
	return server, m
}

// decode reads a body as its headers say.
func decode(r *http.Request) (events []Event, err error) {
	body := io.Reader(r.Body)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "":
	case "gzip":
		if body, err = gzip.NewReader(body); err != nil {
			return nil, err
		}
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		body = z
	default:
		return nil, fmt.Errorf("unknown encoding %q", encoding)
	}
	whole, err := io.ReadAll(body) // to the end: a stream that is cut is an error
	if err != nil {
		return nil, err
	}
	return events, json.Unmarshal(whole, &events)
}

func TestAllWaysSendTheSameEvents(t *testing.T) {
	type arrival struct {
		encoding string
		events   []Event
	}
	arrivals := make(chan arrival, 1)
	server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		events, err := decode(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		arrivals <- arrival{r.Header.Get("Content-Encoding"), events}
	})
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			write := v.make(t, server.Client(), server.URL)
			for _, want := range [][]Event{ // each with the compressor that the one before has used
				makeEvents(500, 0), makeEvents(1, 0), makeEvents(20, 10_000), makeEvents(300, 0),
			} {
				require.NoError(t, write(t.Context(), want))
				got := <-arrivals
				assert.Equal(t, v.encoding, got.encoding)
				assert.Equal(t, want, got.events)
			}
		})
	}
}

func TestCompressionSavesOnTextAndLittleOnImages(t *testing.T) {
	server, wire := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	sent := func(write batcher.FlushFunc[Event], batch []Event) float64 {
		before := wire.bytes.Load()
		require.NoError(t, write(t.Context(), batch))
		return float64(wire.bytes.Load() - before)
	}
	plain := variants[0].make(t, server.Client(), server.URL)
	for _, v := range variants[1:] {
		t.Run(v.name, func(t *testing.T) {
			write := v.make(t, server.Client(), server.URL)
			text, images := makeEvents(1000, 0), makeEvents(50, 10_000)
			assert.Less(t, sent(write, text), sent(plain, text)/5)
			assert.Greater(t, sent(write, images), sent(plain, images)*0.7, "what base64 adds, a quarter, is all there is to gain")
		})
	}
}

func TestARefusedBatchIsAnError(t *testing.T) {
	server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusUnsupportedMediaType)
	})
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			err := v.make(t, server.Client(), server.URL)(t.Context(), makeEvents(10, 0))
			assert.ErrorContains(t, err, "415")
		})
	}
}

// A year of five digits has no place in RFC 3339.
func TestAnItemThatCannotBeEncodedIsToldAndNotCut(t *testing.T) {
	arrivals := make(chan []Event, 1)
	server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		events, err := decode(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		arrivals <- events
	})
	batch := makeEvents(10, 0)
	batch[9].Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			err := v.make(t, server.Client(), server.URL)(t.Context(), batch)
			require.ErrorContains(t, err, "year")
			if v.name != "fast" {
				assert.Empty(t, arrivals, "all of the batch has failed")
				return
			}
			var partial *batcher.PartialError
			require.ErrorAs(t, err, &partial)
			assert.Contains(t, partial.Errs, 9)
			assert.Equal(t, makeEvents(9, 0), <-arrivals)
		})
	}
}
