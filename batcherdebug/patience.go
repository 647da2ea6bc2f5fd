package batcherdebug

// Clients that do not read: how long a write may wait for them.

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// writers are the requests that are being answered.
type writers struct {
	patience time.Duration // with a client that does not read
	parting  time.Duration // the same once the page is closed

	mu     sync.Mutex // guards the fields below; held while deadlines are set
	all    map[*http.ResponseController]struct{}
	closed bool
}

// enter notes a request, until leave is called, and sets the deadline of what is written to it, in
// place of the server's.
func (w *writers) enter(out *http.ResponseController) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all[out] = struct{}{}
	_ = w.setLocked(out)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, out)
	}
}

// extend sets the deadline anew. The error is [http.ErrNotSupported] if something around the
// handler hides it.
func (w *writers) extend(out *http.ResponseController) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.setLocked(out)
}

func (w *writers) setLocked(out *http.ResponseController) error {
	if w.closed {
		return out.SetWriteDeadline(time.Now().Add(w.parting))
	}
	return out.SetWriteDeadline(time.Now().Add(w.patience))
}

// write writes data in pieces, each within a time of its own: only who reads next to nothing is cut
// off.
func (w *writers) write(to http.ResponseWriter, out *http.ResponseController, data []byte) error {
	for piece := range slices.Chunk(data, 1<<15) {
		if err := w.extend(out); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := to.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// close leaves all requests little time to end.
func (w *writers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for out := range w.all {
		_ = w.setLocked(out)
	}
}
