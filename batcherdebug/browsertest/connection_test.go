package browsertest

// What the page says and does when the program, or the way to it, fails.

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batcherdebug"
)

// serveAt serves on an address until the returned function is called.
func serveAt(t *testing.T, addr string, page *batcherdebug.Page) (*httptest.Server, func()) {
	t.Helper()
	var listener net.Listener
	require.Eventually(t, func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", addr)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	mux := http.NewServeMux()
	mux.Handle("/debug/batcher/", page)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux}}
	server.Start()
	return server, func() {
		server.CloseClientConnections()
		server.Close()
		page.Close()
	}
}

func TestThePageComesBackAfterTheServer(t *testing.T) {
	l := startLoad(t)
	tb := open(t)
	server, kill := serveAt(t, "127.0.0.1:0", l.page(t))
	tb.show(server, 3)
	kill()
	tb.until("reconnecting")
	assert.Equal(t, "reconnecting · Batchers", eval[string](tb, "document.title"))
	assert.Equal(t, "grayscale(1)", eval[string](tb, "getComputedStyle(document.getElementById('cards')).filter"))
	addr := server.Listener.Addr().String()
	page := l.page(t)
	_, stop := serveAt(t, addr, page)
	tb.until("live")
	l.add(t, 5)
	l.settle(t)
	tb.eventually(`(` + totals + `)[1].added === '5'`)

	page.Close() // as RegisterOnShutdown does
	tb.until("closed")
	stop()
	other, err := batcher.New(func(context.Context, []int) error { return nil }, batcher.WithName("other"), batcher.WithMaxSize(77))
	require.NoError(t, err)
	defer func() { assert.NoError(t, other.Close(context.Background())) }()
	_, stop = serveAt(t, addr, batcherdebug.Handler(other, other, other))
	tb.until("live")
	tb.eventually(`document.querySelectorAll('.card').length === 3 &&
		Array.from(document.querySelectorAll('.card')).every(card => card.querySelector('h2').textContent.startsWith('other · ') &&
			card.querySelector('.config').textContent.includes('MaxSize77'))`) // as many cards, but of other batchers
	stop()
}

// stalls lets the first event through, and then nothing, as a connection does that has died unnoticed.
type stalls struct {
	http.ResponseWriter
	stalled atomic.Bool
}

func (s *stalls) Unwrap() http.ResponseWriter { return s.ResponseWriter }
func (s *stalls) Write(b []byte) (int, error) {
	if s.stalled.Load() {
		return len(b), nil
	}
	if string(b) == "\n\n" {
		s.stalled.Store(true)
	}
	return s.ResponseWriter.Write(b)
}

func TestFiguresThatAreOldAreNotCalledLive(t *testing.T) {
	l := startLoad(t)
	page := l.page(t)
	var stall atomic.Bool
	stall.Store(true)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stall.Load() && strings.HasSuffix(r.URL.Path, "/events") {
			w = &stalls{ResponseWriter: w}
		}
		page.ServeHTTP(w, r)
	}))
	tb := open(t)
	tb.show(server, 3)
	tb.do(chromedp.Evaluate[chromedp.Void](`new MutationObserver(() => {
		(window.seen ??= []).push(document.getElementById('connection').textContent);
	}).observe(document.getElementById('connection'), { childList: true })`))
	tb.eventually(`window.seen && window.seen.includes('no news: reconnecting')`)
	stall.Store(false)
	l.add(t, 5)
	l.settle(t)
	tb.eventually(`(` + totals + `)[0].added === '5'`)
	tb.until("live")
	tb.clean(server)
}

// polls goes to the page, and insists that it follows a load without a stream.
func (tb *tab) polls(server *httptest.Server, l *load) {
	tb.t.Helper()
	tb.do(chromedp.Navigate(server.URL + "/debug/batcher/"))
	tb.until("polling")
	l.add(tb.t, 5)
	l.settle(tb.t)
	tb.eventually(`(` + totals + `)[0].added === '5'`)
}

// deaf hides that a ResponseWriter can flush, as some middleware does.
type deaf struct{ w http.ResponseWriter }

func (d deaf) Header() http.Header         { return d.w.Header() }
func (d deaf) Write(b []byte) (int, error) { return d.w.Write(b) }
func (d deaf) WriteHeader(status int)      { d.w.WriteHeader(status) }

func TestWhereEventsCannotPassThePagePolls(t *testing.T) {
	l := startLoad(t)
	page := l.page(t)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { page.ServeHTTP(deaf{w}, r) }))
	open(t).polls(server, l)
}

func TestAPauseOverTheEndOfTheProgram(t *testing.T) {
	l := startLoad(t)
	tb := open(t)
	page := l.page(t)
	server, stop := serveAt(t, "127.0.0.1:0", page)
	tb.show(server, 3)
	page.Close()
	tb.until("closed")
	tb.do(chromedp.Click("#pause"))
	tb.until("paused")
	tb.do(chromedp.Click("#pause"))
	tb.until("closed") // it is refused
	stop()
	tb.do(chromedp.Click("#pause"))
	tb.until("paused")
	_, stop = serveAt(t, server.Listener.Addr().String(), l.page(t))
	tb.do(chromedp.Click("#pause"))
	tb.until("live")
	assert.False(t, eval[bool](tb, "over"))
	stop()
	tb.until("reconnecting")
}

// buffers takes events in and passes none on, as a proxy may.
type buffers struct{ http.ResponseWriter }

func (b buffers) Unwrap() http.ResponseWriter    { return b.ResponseWriter }
func (b buffers) Write(text []byte) (int, error) { return len(text), nil }

func TestBehindAProxyThatBuffersThePagePolls(t *testing.T) {
	l := startLoad(t)
	page := l.page(t)
	var streams atomic.Int32
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			streams.Add(1)
			w = buffers{w}
		}
		page.ServeHTTP(w, r)
	}))
	tb := open(t)
	tb.polls(server, l)
	tb.do(chromedp.Evaluate[chromedp.Void](`asked = most`)) // the next one tries the stream again
	require.Eventually(t, func() bool { return streams.Load() == 2 }, time.Minute, 10*time.Millisecond)
	l.add(t, 5)
	l.settle(t)
	tb.eventually(`(` + totals + `)[0].added === '10'`)
	tb.until("polling")
	assert.Equal(t, 16, eval[int](tb, "most"), "and ever less often")
	tb.clean(server)
}

// other makes of events what another version of the program might send.
type other struct{ http.ResponseWriter }

func (o other) Unwrap() http.ResponseWriter { return o.ResponseWriter }
func (o other) Write(text []byte) (int, error) {
	_, err := o.ResponseWriter.Write([]byte(strings.ReplaceAll(string(text), `"recent":`, `"latest":`)))
	return len(text), err
}

func TestWhatCannotBeShownIsNotCalledLive(t *testing.T) {
	l := startLoad(t)
	page := l.page(t)
	var newer, login atomic.Bool
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case login.Load():
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>log in"))
			return
		case newer.Load():
			w = other{w}
		}
		page.ServeHTTP(w, r)
	}))
	tb := open(t)
	tb.show(server, 3)
	newer.Store(true)
	server.CloseClientConnections()
	tb.until("broken")
	newer.Store(false)
	server.CloseClientConnections()
	tb.until("live")
	login.Store(true)
	server.CloseClientConnections()
	tb.until("broken")
	assert.Equal(t, "broken · Batchers", eval[string](tb, "document.title"))
}

func TestWhereStreamsAreCutThePagePolls(t *testing.T) {
	l := startLoad(t)
	page := l.page(t)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			panic(http.ErrAbortHandler)
		}
		page.ServeHTTP(w, r)
	}))
	open(t).polls(server, l)
}

func TestWhoIsNotLetInAnyMoreIsTold(t *testing.T) {
	l := startLoad(t)
	page := l.page(t)
	answer := http.HandlerFunc(page.ServeHTTP)
	var handler atomic.Pointer[http.HandlerFunc]
	handler.Store(&answer)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load())(w, r) }))
	tb := open(t)
	for _, refusal := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.invalid/", http.StatusFound)
		},
	} {
		handler.Store(&answer)
		tb.show(server, 3)
		handler.Store(&refusal)
		server.CloseClientConnections()
		tb.until("broken")
	}
}
