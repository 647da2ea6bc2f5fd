package httpsink_test

// Servers that answer before they have read the body. net/http then still holds it, in goroutines of
// its own; under the race detector, a body that goes back to the pool too early is a race, and
// without, its bytes would arrive in another request.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// run is how many bytes an item of letters is encoded as.
const run = 8 << 10

// letters encodes a byte as many of that byte, so that bodies that were mixed up show.
var letters = httpsink.WithEncoder("text/plain", func(dst []byte, item byte) ([]byte, error) {
	return append(dst, bytes.Repeat([]byte{item}, run)...), nil
})

// mixed reports whether body is of more than one letter, or cut.
func mixed(body []byte) bool {
	return len(body)%run != 0 || bytes.Count(body, body[:1]) != len(body)
}

// lateReader is a transport that does what the contract of http.RoundTripper allows: it answers at
// once, and reads and closes the body when told to.
type lateReader struct {
	now    chan struct{} // closed to read the bodies
	bodies chan string   // gets each of them
}

func (l *lateReader) RoundTrip(req *http.Request) (*http.Response, error) {
	go func() {
		<-l.now
		body, _ := io.ReadAll(req.Body)
		req.Body.Close()
		l.bodies <- string(body)
	}()
	return &http.Response{StatusCode: 413, Body: http.NoBody, Request: req}, nil
}

func TestABodyIsNotTouchedUntilItIsClosed(t *testing.T) {
	late := &lateReader{now: make(chan struct{}), bodies: make(chan string)}
	sink := open[int](t, "http://localhost", numbers, httpsink.WithClient(&http.Client{Transport: late}))
	const writes = 20
	for i := range writes {
		assert.Equal(t, "too large", verdict(sink.Write(t.Context(), []int{i})))
	}
	close(late.now)
	var got []string
	for range writes {
		got = append(got, <-late.bodies)
	}
	for i := range writes {
		assert.Contains(t, got, fmt.Sprintf("%d\n", i))
	}
}

// serveEarly starts a server, over TLS and with HTTP/2 if asked for, that refuses every second
// request unread, and checks the bodies of the others.
func serveEarly(t *testing.T, http2 bool) (*httptest.Server, *atomic.Int64) {
	var n, whole atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if http2 {
			assert.Equal(t, 2, r.ProtoMajor)
		}
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || mixed(body) {
			t.Errorf("%d bytes, mixed or cut: %v", len(body), err)
			return
		}
		whole.Add(1)
	}))
	server.EnableHTTP2 = http2
	if http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, &whole
}

func TestABodyGoesBackToThePoolWhenNobodyReadsItAnyMore(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			server, whole := serveEarly(t, http2)
			client := server.Client()
			sink := open[byte](t, server.URL, letters, httpsink.WithClient(client))
			var writers sync.WaitGroup
			var written atomic.Int64
			for w := range byte(4) {
				writers.Go(func() {
					for i := range 3 {
						batch := bytes.Repeat([]byte{'a' + w}, 1000-100*(i%3)) // 8 MB: more than sockets hold
						if sink.Write(t.Context(), batch) == nil {
							written.Add(1)
						}
						runtime.Gosched()
					}
				})
			}
			writers.Wait()
			assert.Positive(t, written.Load())
			assert.GreaterOrEqual(t, whole.Load(), written.Load())
		})
	}
}

func TestAContextThatEndsInMidBodyLeavesTheBodyToNetHTTP(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			arrived, over := make(chan struct{}), make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Hang") == "" {
					body, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
					assert.False(t, mixed(body))
					return
				}
				arrived <- struct{}{}
				<-over
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			defer close(over)

			hang := true
			sink := open[byte](t, server.URL, letters, httpsink.WithClient(server.Client()),
				httpsink.WithRequest(func(r *http.Request) error {
					if hang {
						r.Header.Set("X-Hang", "yes")
					}
					return nil
				}))
			for i := range 10 {
				hang = true
				ctx, cancel := context.WithCancelCause(withTimeout(t))
				done := make(chan error)
				go func() { done <- sink.Write(ctx, bytes.Repeat([]byte{'a'}, 1<<10)) }()
				<-arrived
				cancel(errDown)
				err := <-done
				assertTransient(t, err)
				assert.ErrorIs(t, err, errDown)
				assert.ErrorIs(t, err, context.Canceled)
				hang = false
				require.NoError(t, sink.Write(t.Context(), bytes.Repeat([]byte{'b' + byte(i)}, 10)))
			}
		})
	}
}

func TestF49_A2xxBeforeTheItemsWereReadIsNotBelieved(t *testing.T) {
	judged := make(chan struct{})
	url := conversation(t, func(conn net.Conn, _ *bufio.Reader) {
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		<-judged
	})
	sink := open[byte](t, url, letters)
	err := sink.Write(withTimeout(t), bytes.Repeat([]byte{'a'}, 4<<10)) // 32 MiB: more than sockets hold
	close(judged)
	assertTransient(t, err)
	assert.ErrorContains(t, err, "answered 200 before it had read the items")
}

func TestABodyCanBeHeldBackUntilTheServerWantsIt(t *testing.T) {
	refuse := true
	var sent string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if refuse {
			w.WriteHeader(http.StatusRequestEntityTooLarge) // before reading, so without "100 Continue"
			return
		}
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		sent = string(body)
	})
	sink := open[int](t, url, numbers, httpsink.WithHeader("Expect", "100-continue"))
	assert.Equal(t, "too large", verdict(sink.Write(withTimeout(t), []int{1})))
	refuse = false
	require.NoError(t, sink.Write(withTimeout(t), []int{2}))
	assert.Equal(t, "2\n", sent)
}

// The bodies of redirects and of attempts that net/http makes again come from GetBody.
func TestEveryBodyOfARedirectedRequestIsWhole(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			var whole atomic.Int64
			mux := http.NewServeMux()
			mux.HandleFunc("/unread", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "/read")
				w.WriteHeader(http.StatusTemporaryRedirect)
			})
			mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.False(t, mixed(body))
				whole.Add(1)
				w.Header().Set("Location", "/done")
				w.WriteHeader(http.StatusPermanentRedirect)
			})
			mux.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.False(t, mixed(body))
				assert.Equal(t, "POST", r.Method)
				whole.Add(1)
			})
			server := httptest.NewUnstartedServer(mux)
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			sink := open[byte](t, server.URL+"/unread", letters, httpsink.WithClient(server.Client()))
			var writers sync.WaitGroup
			for w := range byte(4) {
				writers.Go(func() {
					for range 20 {
						// A few KB: the server reads so much before it closes a connection.
						assert.NoError(t, sink.Write(t.Context(), bytes.Repeat([]byte{'a' + w}, 5)))
					}
				})
			}
			writers.Wait()
			assert.EqualValues(t, 4*20*2, whole.Load())
		})
	}
}
