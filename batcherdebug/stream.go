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
// or the client has not read for too long. It runs on the request's own goroutine.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
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
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Now().Add(p.patience)) // in place of the server's, which is for short answers
	if err := out.Flush(); errors.Is(err, http.ErrNotSupported) {
		http.Error(w, "something around this handler does not let events through; see stats.json",
			http.StatusNotImplemented)
		return
	}
	defer func() { _ = out.SetWriteDeadline(time.Time{}) }() // the connection may serve other requests
	ticks := time.NewTicker(p.period)
	defer ticks.Stop()
	for {
		if p.send(w, out, "", p.snapshot()) != nil {
			return
		}
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return
		case <-p.closed:
			_ = p.send(w, out, "event: closed\n", []byte("{}"))
			return
		}
	}
}

// send writes one event. Where a deadline cannot be set, a client that does not read blocks its own
// goroutine only.
func (p *Page) send(w http.ResponseWriter, out *http.ResponseController, kind string, data []byte) error {
	_ = out.SetWriteDeadline(time.Now().Add(p.patience))
	for _, part := range []string{"retry: 2000\n", kind, "data: ", string(data), "\n\n"} {
		if _, err := w.Write([]byte(part)); err != nil {
			return err
		}
	}
	return out.Flush()
}
