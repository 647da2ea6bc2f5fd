package batcherdebug

// The handler: which path is answered with what.

import (
	"embed"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Page is an [http.Handler], see the package documentation. Make one with [Handler]. All methods
// may be called from any goroutine.
type Page struct {
	watched []*watched
	since   time.Time
	period  time.Duration // between two snapshots
	life    time.Duration // of a stream
	limit   time.Duration // for all batchers to tell their Stats
	streams chan struct{} // a place for each; its capacity is MaxStreams
	writers writers
	closed  chan struct{} // closed by Close
	closing sync.Once

	mu     sync.Mutex // guards the field below; held while a snapshot is made, which limit bounds
	latest *document  // replaced, never changed
}

// Handler returns a page with a card for each of the batchers, in this order. Names may be empty
// and may be the same: a card is known by its place. Without batchers the page says so.
//
// It adds hooks to the batchers, which stay until [Page.Close]. It panics if one of them is nil, as
// [http.Handle] does: that is a fault of the program and not of its input.
func Handler(batchers ...batcher.Observed) *Page {
	p := &Page{
		since:   time.Now(),
		period:  time.Second,
		life:    10 * time.Minute,
		limit:   time.Second,
		streams: make(chan struct{}, MaxStreams),
		writers: writers{patience: 10 * time.Second, parting: time.Second,
			all: make(map[*http.ResponseController]struct{})},
		closed: make(chan struct{}),
	}
	for i, b := range batchers {
		if v := reflect.ValueOf(b); b == nil || v.Kind() == reflect.Pointer && v.IsNil() {
			panic(fmt.Sprintf("batcherdebug: batcher %d of %d is nil", i+1, len(batchers)))
		}
	}
	for i, b := range batchers {
		p.watched = append(p.watched, watch(i, b))
	}
	return p
}

// Close removes the hooks and ends all streams; the pages that are open say that it is over.
// Requests that come later are answered 503. It may be called any number of times, and does not
// wait.
//
// Give it to [http.Server.RegisterOnShutdown]: Shutdown waits for requests to end, which a stream
// does not do by itself. A client that does not read holds it up for a second.
func (p *Page) Close() {
	p.closing.Do(func() {
		close(p.closed)
		p.writers.close()
		for _, w := range p.watched {
			w.remove()
		}
	})
}

//go:embed static
var static embed.FS

// files are the parts of the page that do not change.
var files = map[string]struct{ path, contentType string }{
	"":            {"static/page.html", "text/html; charset=utf-8"},
	"page.css":    {"static/page.css", "text/css; charset=utf-8"},
	"format.js":   {"static/format.js", "text/javascript; charset=utf-8"},
	"elements.js": {"static/elements.js", "text/javascript; charset=utf-8"},
	"charts.js":   {"static/charts.js", "text/javascript; charset=utf-8"},
	"card.js":     {"static/card.js", "text/javascript; charset=utf-8"},
	"page.js":     {"static/page.js", "text/javascript; charset=utf-8"},
	"stream.js":   {"static/stream.js", "text/javascript; charset=utf-8"},
}

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	out := http.NewResponseController(w)
	defer p.writers.enter(out)()
	if p.isClosed() {
		http.Error(w, "this page has been closed: the program is shutting down", http.StatusServiceUnavailable)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this page is read-only", http.StatusMethodNotAllowed)
		return
	}
	asked, _, _ := strings.Cut(r.RequestURI, "?")
	if r.URL.Path == "" && !strings.HasSuffix(asked, "/") {
		// StripPrefix has left nothing: the links of the page need the slash.
		w.Header().Set("Location", "./"+asked[strings.LastIndexByte(asked, '/')+1:]+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	p.serve(w, r, out, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
}

// serve answers with the resource of that name.
func (p *Page) serve(w http.ResponseWriter, r *http.Request, out *http.ResponseController, name string) {
	file, isFile := files[name]
	switch {
	case isFile:
		text, _ := static.ReadFile(file.path) // it is there, by the test of that name
		w.Header().Set("Content-Type", file.contentType)
		_ = p.writers.write(w, out, text)
	case name == "stats.json":
		w.Header().Set("Content-Type", "application/json")
		_ = p.writers.write(w, out, p.snapshot().indented())
	case name == "events":
		p.stream(w, r, out)
	default:
		http.NotFound(w, r)
	}
}

func (p *Page) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// protect keeps browsers from doing anything with the page but showing it.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "+
		"require-trusted-types-for 'script'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}
