// Package slow_json is exercise 4: what it costs to turn a batch into bytes, in ways that go from
// json.Marshal to code that was generated or written for the type.
package slow_json

// The items, and what the ways of sending them share.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

//go:generate go run github.com/mailru/easyjson/easyjson@v0.9.2 -no_std_marshalers -output_filename event_easyjson.go event.go

// Event is one audit event, some 150 bytes of JSON. Without -no_std_marshalers above, easyjson would
// also give it a method MarshalJSON; then json.Marshal would no longer be the reflection that it is
// compared with.
//
//easyjson:json
type Event struct {
	UserID   string            `json:"user_id"`
	Action   string            `json:"action"`
	Time     time.Time         `json:"time"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Events is a batch; easyjson needs a type with a name.
//
//easyjson:json
type Events []Event

// Sender posts batches to one address. Its methods Write... are flush functions, one for each way; the
// one of the library is in fast.go. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	url    string
}

// NewSender returns a sender. The client stays the caller's.
func NewSender(client *http.Client, url string) *Sender { return &Sender{client: client, url: url} }

// post sends a body of that size, which net/http closes. An answer other than 2xx is an error: the
// batch was not written, as far as anybody knows.
func (s *Sender) post(ctx context.Context, contentType string, body io.ReadCloser, size int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, body)
	if err != nil {
		_ = body.Close()
		return err
	}
	req.ContentLength = int64(size)
	req.Header.Set("Content-Type", contentType)
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // so that the connection is used again
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	return nil
}

// lease is a pooled buffer on its way into a request. A deferred Put in the flush function would be
// too early: net/http may still read the body after the answer has come (a server may answer
// before it has read everything), and the next batch would be written over the bytes of this one.
// What net/http promises is to close the body in the end, so Close gives the buffer back. Package
// httpsink does the same, and can send a body twice (body.go).
type lease struct {
	mu     sync.Mutex // guards the fields below: Close may come from another goroutine, in mid-Read
	unread []byte
	buf    *bytes.Buffer // nil once it went back
}

// buffers recycles bodies. It holds pointers: a slice or a struct would be copied to the heap by
// each Put.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// newBuffer returns an empty buffer, which the caller owns.
func newBuffer() *bytes.Buffer {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	return buf
}

// postBuffer sends what is in buf, and takes ownership of it.
func (s *Sender) postBuffer(ctx context.Context, contentType string, buf *bytes.Buffer) error {
	return s.post(ctx, contentType, &lease{unread: buf.Bytes(), buf: buf}, buf.Len())
}

// Read copies what comes next.
func (l *lease) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf == nil {
		return 0, errors.New("read of a closed body")
	}
	n := copy(p, l.unread)
	if l.unread = l.unread[n:]; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close gives the buffer back. Only the first call does something.
func (l *lease) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf != nil {
		buffers.Put(l.buf)
		l.buf, l.unread = nil, nil
	}
	return nil
}
