package batcherdebug

// The stream of snapshots, as server-sent events.

import (
	"errors"
	"net/http"
	"time"
)

// MaxStreams is how many streams a page serves at once.
const MaxStreams = 32

// stream sends a snapshot at once and then each second, until the client goes, the page is closed,
// or the client has not read for too long. It runs on the request's own goroutine. What the client
// does not read fits into the buffers of the network for long, so each stream ends some time; it
// asks the page to open another one.
func (p *Page) stream(w http.ResponseWriter, r *http.Request, out *http.ResponseController) {
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many streams", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the events back
	if r.Method == http.MethodHead {
		return
	}
	// Without a deadline, a client that does not read would hold its place for ever.
	if p.writers.extend(out) != nil || errors.Is(out.Flush(), http.ErrNotSupported) {
		http.Error(w, "something around this handler does not let events through; see stats.json",
			http.StatusNotImplemented)
		return
	}
	p.follow(w, r, out)
}

// follow sends until there is a reason to end.
func (p *Page) follow(w http.ResponseWriter, r *http.Request, out *http.ResponseController) {
	ticks, end := time.NewTicker(p.period), time.NewTimer(p.life)
	defer ticks.Stop()
	defer end.Stop()
	for {
		if p.send(w, out, "", p.snapshot().compact) != nil {
			return
		}
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-end.C:
			_ = p.send(w, out, "event: again\n", []byte("{}"))
			return
		case <-p.closed:
			_ = p.send(w, out, "event: closed\n", []byte("{}"))
			return
		}
	}
}

// send writes one event.
func (p *Page) send(w http.ResponseWriter, out *http.ResponseController, kind string, data []byte) error {
	for _, part := range [][]byte{[]byte("retry: 2000\n" + kind + "data: "), data, []byte("\n\n")} {
		if err := p.writers.write(w, out, part); err != nil {
			return err
		}
	}
	return out.Flush()
}
