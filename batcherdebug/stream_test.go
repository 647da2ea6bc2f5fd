package batcherdebug

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// serve serves h until the test ends.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return server
}

// events opens a stream.
func events(t *testing.T, url string) *bufio.Scanner {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return lines
}

// next returns the kind and the data of the next event.
func next(t *testing.T, lines *bufio.Scanner) (kind, data string) {
	t.Helper()
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			kind = value
		case "data":
			data = value
		case "":
			return kind, data
		}
	}
	t.Fatalf("the stream has ended: %v", lines.Err())
	return "", ""
}

func TestTheStreamBringsASnapshotAtOnceAndThenEachPeriod(t *testing.T) {
	b := start(t, good, batcher.WithName("a\nb"))
	p := show(t, b)
	p.period = 10 * time.Millisecond
	lines := events(t, serve(t, p).URL+"/events")
	for i := range 3 {
		kind, data := next(t, lines)
		assert.Empty(t, kind)
		var s Snapshot
		require.NoError(t, json.Unmarshal([]byte(data), &s))
		require.Len(t, s.Batchers, 1)
		assert.Equal(t, "a\nb", s.Batchers[0].Name)
		assert.GreaterOrEqual(t, s.Batchers[0].Stats.Added, int64(i)-1)
		require.NoError(t, b.AddWait(t.Context(), 1))
	}
}

func TestCloseEndsStreamsAndSaysSo(t *testing.T) {
	p := show(t)
	lines := events(t, serve(t, p).URL+"/events")
	next(t, lines)
	p.Close()
	kind, _ := next(t, lines)
	assert.Equal(t, "closed", kind)
	assert.False(t, lines.Scan())
}

func TestShutdownDoesNotWaitForStreams(t *testing.T) {
	p := show(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: p, WriteTimeout: 20 * time.Millisecond}
	server.RegisterOnShutdown(p.Close)
	var serving sync.WaitGroup
	serving.Go(func() { assert.ErrorIs(t, server.Serve(listener), http.ErrServerClosed) })
	p.period = 50 * time.Millisecond
	lines := events(t, "http://"+listener.Addr().String()+"/events")
	for range 3 { // longer than the server's timeout for writing
		next(t, lines)
	}
	assert.NoError(t, server.Shutdown(context.Background()))
	serving.Wait()
}

func TestStreamsBeyondTheBoundAreRefused(t *testing.T) {
	p := show(t)
	url := serve(t, p).URL
	for range MaxStreams {
		next(t, events(t, url+"/events"))
	}
	response, err := http.Get(url + "/events")
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.NotEmpty(t, response.Header.Get("Retry-After"))
	assert.Len(t, stats(t, p).Batchers, 0, "stats.json is there nevertheless")
}

// gone waits until no stream is served.
func gone(t *testing.T, p *Page) {
	t.Helper()
	require.Eventually(t, func() bool { return len(p.streams) == 0 }, time.Minute, time.Millisecond)
}

func TestAClientThatGoesFreesItsPlace(t *testing.T) {
	p := show(t)
	p.period = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", serve(t, p).URL+"/events", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = response.Body.Read(make([]byte, 10))
	require.NoError(t, err)
	assert.Len(t, p.streams, 1)
	cancel()
	gone(t, p)
}

func TestAClientThatNeverReadsIsCutOffAndHoldsNobodyUp(t *testing.T) {
	p := crowded(t)
	p.writers.patience = 50 * time.Millisecond
	begun, ended := make(chan struct{}), make(chan struct{})
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		defer close(ended)
		p.ServeHTTP(w, r)
	}))
	silent, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer silent.Close()
	_, err = fmt.Fprint(silent, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	<-begun
	for range 20 { // others are served meanwhile
		stats(t, p)
	}
	<-ended
	assert.Empty(t, p.streams)
}

// plainWriter is a ResponseWriter that cannot flush.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }

func TestWhereEventsCannotPassTheAnswerSaysSo(t *testing.T) {
	p := show(t)
	w := httptest.NewRecorder()
	p.ServeHTTP(plainWriter{w}, httptest.NewRequest("GET", "/events", nil))
	assert.Equal(t, http.StatusNotImplemented, w.Code)
	assert.Contains(t, w.Body.String(), "stats.json")
	assert.Empty(t, p.streams)
}

func TestReadersRaceLoadAndClose(t *testing.T) {
	b := start(t, good, batcher.WithMaxSize(2))
	p := show(t, b, b)
	p.period = time.Millisecond
	url := serve(t, p).URL
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				assert.NoError(t, b.Add(context.Background(), 1))
			}
		})
		all.Go(func() {
			response, err := http.Get(url + "/events")
			if assert.NoError(t, err) {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
		all.Go(func() {
			for range 50 {
				request(p, "GET", "/stats.json")
			}
		})
	}
	require.NoError(t, b.Flush(t.Context()))
	p.Close()
	all.Wait()
	gone(t, p)
}

func TestAStreamEndsSomeTimeAndAsksForAnother(t *testing.T) {
	p := show(t)
	p.life = time.Millisecond
	lines := events(t, serve(t, p).URL+"/events")
	next(t, lines)
	kind, _ := next(t, lines)
	assert.Equal(t, "again", kind)
	assert.False(t, lines.Scan())
}

func TestAClientThatAsksAndNeverReadsIsCutOff(t *testing.T) {
	p := show(t)
	p.writers.patience = 50 * time.Millisecond
	silent, err := net.Dial("tcp", serve(t, p).Listener.Addr().String())
	require.NoError(t, err)
	defer silent.Close()
	require.NoError(t, silent.SetWriteDeadline(time.Now().Add(time.Minute)))
	for err == nil { // until the server can write no more, and so reads no more, and then has had enough
		_, err = fmt.Fprint(silent, "GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "else the server holds the connection for ever")
}

// crowded makes a page of many batchers with long names, whose snapshots soon fill what is between
// it and a client.
func crowded(t *testing.T) *Page {
	t.Helper()
	var many []batcher.Observed
	for range 50 {
		many = append(many, start(t, good, batcher.WithName(strings.Repeat("n", 400))))
	}
	p := show(t, many...)
	p.period = time.Millisecond
	return p
}

func TestShutdownWaitsAMomentForAClientThatDoesNotRead(t *testing.T) {
	p := crowded(t)
	p.writers.patience, p.writers.parting = time.Hour, 10*time.Millisecond
	server := serve(t, p)
	server.Config.RegisterOnShutdown(p.Close)
	silent, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer silent.Close()
	_, err = fmt.Fprint(silent, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	made := func() *document {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.latest
	}
	require.Eventually(t, func() bool { // until it writes no more
		before := made()
		time.Sleep(100 * time.Millisecond) // if that is too short, less is tested
		return before != nil && before == made()
	}, time.Minute, time.Millisecond)
	assert.NoError(t, server.Config.Shutdown(context.Background()))
	gone(t, p)
	assert.Empty(t, p.writers.all)
}

// flushes is a ResponseWriter as much middleware has it: it can flush, and hides the rest.
type flushes struct{ plainWriter }

func (f flushes) Flush() {}

func TestWithoutDeadlinesThereAreNoStreams(t *testing.T) {
	p := show(t)
	w := httptest.NewRecorder()
	p.ServeHTTP(flushes{plainWriter{w}}, httptest.NewRequest("GET", "/events", nil))
	assert.Equal(t, http.StatusNotImplemented, w.Code, "a client that does not read would hold its place for ever")
	assert.Empty(t, p.streams)
	assert.Equal(t, http.StatusOK, request(p, "GET", "/stats.json").Code)
}

func TestAllWhoAskShareTheBytes(t *testing.T) {
	p := crowded(t)
	p.period = time.Hour
	document := p.snapshot()
	assert.Same(t, &document.indented()[0], &p.snapshot().indented()[0])
	assert.Same(t, &document.compact[0], &p.snapshot().compact[0])
}

// timed notes the deadlines that are set, and what is written under each.
type timed struct {
	http.ResponseWriter
	written []int
}

func (d *timed) SetWriteDeadline(time.Time) error { d.written = append(d.written, 0); return nil }
func (d *timed) Write(b []byte) (int, error) {
	d.written[len(d.written)-1] += len(b)
	return d.ResponseWriter.Write(b)
}

func TestWhoReadsSlowlyIsNotCutOff(t *testing.T) {
	p, recorder := crowded(t), httptest.NewRecorder()
	w := &timed{ResponseWriter: recorder}
	p.ServeHTTP(w, httptest.NewRequest("GET", "/stats.json", nil))
	assert.Greater(t, recorder.Body.Len(), 1<<16)
	assert.Greater(t, len(w.written), 3)
	for _, n := range w.written {
		assert.LessOrEqual(t, n, 1<<15, "a deadline is for so much, and not for all")
	}
}
