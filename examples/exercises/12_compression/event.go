// Package compression is exercise 12: what compressing a batch saves on the wire, and what it costs in
// CPU time, with the ways of compressing that a Go program has.
package compression

// The items, and what the ways of sending them share.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Event is one audit event, some 150 bytes of JSON without an image.
type Event struct {
	UserID   string            `json:"user_id"`
	Action   string            `json:"action"`
	Time     time.Time         `json:"time"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Image    []byte            `json:"image,omitempty"` // compressed already; base64 in JSON
}

// Sender posts batches to one address, each as a JSON array. Its methods Write... are flush functions,
// one for each way; the one of the library is in fast.go. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	url    string
}

// NewSender returns a sender. The client stays the caller's.
func NewSender(client *http.Client, url string) *Sender { return &Sender{client: client, url: url} }

// post sends one body, which nobody uses afterwards. encoding is "" for none. An answer other than 2xx
// is an error: the batch was not written, as far as anybody knows.
func (s *Sender) post(ctx context.Context, encoding string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
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

// compressor is what the writers of compress/gzip and of klauspost/compress have in common.
type compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// postWith compresses body with a compressor of the pool and sends it. The compressor goes back without
// the output, which it would keep alive otherwise. The output itself is fresh each time: net/http may
// read it after the answer, so it cannot go back with a defer; package httpsink knows when it can.
func (s *Sender) postWith(ctx context.Context, pool *sync.Pool, encoding string, body []byte) error {
	var out bytes.Buffer
	z := pool.Get().(compressor)
	z.Reset(&out)
	_, err := z.Write(body)
	if closed := z.Close(); err == nil {
		err = closed
	}
	z.Reset(io.Discard)
	pool.Put(z)
	if err != nil {
		return err
	}
	return s.post(ctx, encoding, out.Bytes())
}
