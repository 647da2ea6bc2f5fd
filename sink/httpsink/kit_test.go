package httpsink_test

// Helpers of the tests: a server that records, and sinks that are closed at the end.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	stdgzip "compress/gzip"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

var errDown = errors.New("down")

// patience is far more than anything takes that does not hang.
const patience = time.Minute

// request is one that a server has recorded.
type request struct {
	*http.Request
	body  string // decompressed
	bytes int    // on the wire
}

// recorder is a handler that records requests, and answers 200 or as answer says.
type recorder struct {
	answer func(w http.ResponseWriter, r *request, n int) // n counts requests from 1

	mu       sync.Mutex
	requests []*request
	conns    int
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	got := &request{Request: r, bytes: len(raw)}
	if got.body, err = decompressed(r.Header.Get("Content-Encoding"), raw); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	rec.mu.Lock()
	rec.requests = append(rec.requests, got)
	n := len(rec.requests)
	rec.mu.Unlock()
	if rec.answer != nil {
		rec.answer(w, got, n)
	}
}

// all returns the requests so far.
func (rec *recorder) all() []*request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]*request(nil), rec.requests...)
}

// bodies returns the bodies of all requests so far.
func (rec *recorder) bodies() (bodies []string) {
	for _, r := range rec.all() {
		bodies = append(bodies, r.body)
	}
	return bodies
}

// lines returns the lines of all bodies so far, in order.
func (rec *recorder) lines() []string {
	return strings.Fields(strings.Join(rec.bodies(), ""))
}

func (rec *recorder) connections() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.conns
}

func decompressed(encoding string, raw []byte) (string, error) {
	var r io.Reader = bytes.NewReader(raw)
	switch encoding {
	case "gzip":
		zr, err := stdgzip.NewReader(r)
		if err != nil {
			return "", err
		}
		r = zr
	case "zstd":
		zr, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<20))
		if err != nil {
			return "", err
		}
		defer zr.Close()
		r = zr
	}
	all, err := io.ReadAll(r)
	return string(all), err
}

// record starts a server that records.
func record(t testing.TB, answer func(w http.ResponseWriter, r *request, n int)) (*recorder, string) {
	rec := &recorder{answer: answer}
	server := httptest.NewUnstartedServer(rec)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			rec.mu.Lock()
			rec.conns++
			rec.mu.Unlock()
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return rec, server.URL
}

// serve starts a server with the handler.
func serve(t testing.TB, handler http.HandlerFunc) string {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// status returns an answer that is a status and a body.
func status(code int, body string) func(http.ResponseWriter, *request, int) {
	return func(w http.ResponseWriter, _ *request, _ int) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// conversation starts a server that takes one connection after the other and hands it to talk, after
// the header of a request was read. It is closed when talk returns.
func conversation(t testing.TB, talk func(conn net.Conn, r *bufio.Reader)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			talks.Go(func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if line == "\r\n" {
						break
					}
				}
				talk(conn, r)
			})
		}
	})
	t.Cleanup(talks.Wait)
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// open makes a sink that is closed at the end of the test.
func open[T any](t testing.TB, url string, opts ...httpsink.Option) *httpsink.Sink[T] {
	t.Helper()
	sink, err := httpsink.New[T](url, opts...)
	require.NoError(t, err)
	t.Cleanup(sink.Close)
	return sink
}

// withTimeout returns a context that ends a test that hangs.
func withTimeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// wait waits for something to be received.
func wait(t testing.TB, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-withTimeout(t).Done():
		t.Fatal("it does not come")
	}
}

// appendNumber encodes 0 to 999 as itself and fails for the others, except that 1000 is nothing and 1001
// panics.
func appendNumber(dst []byte, item int) ([]byte, error) {
	switch {
	case item == 1000:
		return dst, nil
	case item == 1001:
		panic("the encoder panics")
	case item < 0 || item > 1001:
		return append(dst, "half of it"...), fmt.Errorf("%d is out of range", item)
	}
	return strconv.AppendInt(dst, int64(item), 10), nil
}

var numbers = httpsink.WithJSONEncoder(appendNumber)

// verdict spells the marks on an error.
func verdict(err error) string {
	var partial *batcher.PartialError
	switch {
	case err == nil:
		return "nil"
	case errors.As(err, &partial):
		return "partial"
	case batcher.IsTooLarge(err):
		return "too large"
	case batcher.IsPermanent(err):
		return "permanent"
	}
	if after, ok := batcher.RetryDelay(err); ok {
		return "after " + after.String()
	}
	return "transient"
}

func assertTransient(t testing.TB, err error) {
	t.Helper()
	if assert.Error(t, err) {
		assert.Equal(t, "transient", verdict(err), "%v", err)
		assert.Regexp(t, "^httpsink: ", err.Error())
	}
}

func ints(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i % 1000
	}
	return items
}

// discardLog returns a logger for servers whose complaints are part of the test.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// quiet keeps the batcher from logging what the test asserts anyway.
var quiet = batcher.WithLogger(slog.New(slog.DiscardHandler))
