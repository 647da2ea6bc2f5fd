package httpsink_test

// Servers and networks in trouble.

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

func TestF50_ARefusedConnectionIsTransient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	err = open[int](t, url).Write(t.Context(), []int{1})
	assertTransient(t, err)
	assert.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.Contains(t, err.Error(), "httpsink: POST "+url+": dial tcp")
}

func TestF50_AnswersThatMakeNoSenseAreTransient(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":              "",
		"no HTTP":              "220 smtp.example ESMTP\r\n",
		"half a header":        "HTTP/1.1 200 OK\r\nContent-Le",
		"no number":            "HTTP/1.1 okay\r\n\r\n",
		"an endless header":    "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 2<<20),
		"no length":            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"another protocol":     "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"an impossible status": "HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			url := conversation(t, func(conn net.Conn, r *bufio.Reader) {
				_, _ = r.ReadString('\n') // the body
				_, _ = io.WriteString(conn, answer)
			})
			assertTransient(t, open[int](t, url).Write(withTimeout(t), []int{1}))
		})
	}
}

func TestF50_AResetInMidBodyIsTransient(t *testing.T) {
	url := conversation(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = r.Discard(10_000)
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
	})
	assertTransient(t, open[byte](t, url, letters).Write(withTimeout(t), make([]byte, 2000)))
}

// The status line says that the batch was taken; what is lost after it is nothing that we need.
func TestAnAnswerThatBreaksOffAfterItsHeaderCounts(t *testing.T) {
	for code, want := range map[int]string{200: "nil", 400: "permanent", 503: "after 5s"} {
		url := conversation(t, func(conn net.Conn, r *bufio.Reader) {
			_, _ = r.ReadString('\n')
			fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nRetry-After: 5\r\nContent-Length: 1000\r\n\r\nbegin", code)
		})
		err := open[int](t, url).Write(withTimeout(t), []int{1})
		assert.Equal(t, want, verdict(err))
		if err != nil {
			assert.ErrorContains(t, err, "begin")
		}
	}
}

func TestF50_AResultThatBreaksOffIsTransient(t *testing.T) {
	url := conversation(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = r.ReadString('\n')
		fmt.Fprint(conn, "HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{\"items\":[")
	})
	err := open[int](t, url, httpsink.WithResults(httpsink.ElasticsearchBulk)).Write(withTimeout(t), []int{1})
	assertTransient(t, err)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// hanging starts a server that says begin, in full or with an endless body, and nothing more.
func hanging(t testing.TB, begin string) string {
	over := make(chan struct{})
	url := conversation(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = r.ReadString('\n')
		_, _ = io.WriteString(conn, begin)
		<-over
	})
	t.Cleanup(func() { close(over) })
	return url
}

func TestF50_AServerThatNeverAnswersCostsTheContext(t *testing.T) {
	for name, begin := range map[string]string{"no answer": "", "half a header": "HTTP/1.1 200 OK\r\n"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			err := open[int](t, hanging(t, begin)).Write(ctx, []int{1})
			assertTransient(t, err)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.ErrorContains(t, err, "the batch may have been written")
		})
	}
}

func TestResultsThatNeverEndCostTheContext(t *testing.T) {
	url := hanging(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errDown)
	defer cancel()
	err := open[int](t, url, httpsink.WithResults(httpsink.ElasticsearchBulk)).Write(ctx, []int{1})
	assertTransient(t, err)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorIs(t, err, errDown)
}

// Without the bound on the grace, these would take until the context ends, in a minute.
func TestABodyThatHangsDoesNotHoldUpTheVerdict(t *testing.T) {
	for code, want := range map[int]string{200: "nil", 400: "permanent", 500: "transient"} {
		url := hanging(t, fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 1000\r\n\r\nbegin", code))
		err := open[int](t, url).Write(withTimeout(t), []int{1})
		assert.Equal(t, want, verdict(err))
		if err != nil {
			assert.ErrorContains(t, err, "begin")
		}
	}
}

func TestABodyThatTricklesDoesNotHoldUpTheVerdict(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			if _, err := io.WriteString(w, "."); err != nil || r.Context().Err() != nil {
				tick.Stop()
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	})
	assert.NoError(t, open[int](t, url).Write(withTimeout(t), []int{1}))
}

func TestAHugeBodyIsNotRead(t *testing.T) {
	for code, want := range map[int]string{200: "nil", 500: "transient"} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(code)
			for r.Context().Err() == nil { // for ever
				_, _ = w.Write(make([]byte, 1<<20))
			}
		})
		assert.Equal(t, want, verdict(open[int](t, url).Write(withTimeout(t), []int{1})))
	}
}

func TestASlowServerIsWaitedFor(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for one := make([]byte, 100); ; {
			n, err := r.Body.Read(one)
			if n > 0 {
				<-time.After(time.Microsecond)
			}
			if err != nil {
				return
			}
		}
	})
	assert.NoError(t, open[int](t, url).Write(withTimeout(t), ints(10_000)))
}

// A kept connection that the server has closed in the meantime: net/http tries again by itself, or
// the error is one to be tried again.
func TestF50_AKeptConnectionThatWasClosedCostsAnAttemptAtMost(t *testing.T) {
	rec := new(recorder)
	server := httptest.NewServer(rec)
	defer server.Close()
	sink := open[int](t, server.URL)
	for i := range 10 {
		if err := sink.Write(t.Context(), []int{i}); err != nil {
			assertTransient(t, err)
			require.NoError(t, sink.Write(t.Context(), []int{i}))
		}
		server.CloseClientConnections()
	}
	assert.Equal(t, strings.Fields("0 1 2 3 4 5 6 7 8 9"), slices.Compact(rec.lines()))
}

func TestAFaultOfTheCertificateIsTransient(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	defer server.Close()
	err := open[int](t, server.URL).Write(t.Context(), []int{1})
	assertTransient(t, err)
	var unknown x509.UnknownAuthorityError
	assert.ErrorAs(t, err, &unknown)
}

func TestPlainHTTPToATLSPortIsNotWritten(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	defer server.Close()
	err := open[int](t, strings.Replace(server.URL, "https", "http", 1)).Write(t.Context(), []int{1})
	assert.Equal(t, "permanent", verdict(err)) // 400: Client sent an HTTP request to an HTTPS server
	assert.ErrorContains(t, err, "HTTPS server")
}

func TestAUnixSocketIsAMatterOfTheClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skipf("no unix sockets here: %v", err)
	}
	rec := new(recorder)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: rec}}
	server.Start()
	defer server.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	sink := open[int](t, "http://unix/in", httpsink.WithClient(&http.Client{Transport: transport}))
	require.NoError(t, sink.Write(t.Context(), []int{1}))
	assert.Equal(t, []string{"1\n"}, rec.bodies())
}

func TestATimeoutOfTheClientIsTransient(t *testing.T) {
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Millisecond}
	err := open[int](t, hanging(t, ""), httpsink.WithClient(client)).Write(t.Context(), []int{1})
	assertTransient(t, err)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}
