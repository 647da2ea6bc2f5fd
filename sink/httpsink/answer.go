package httpsink

// Answers: reading them, within bounds, and what a status means.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

const (
	// graceBytes and graceTime bound what is read of an answer that says nothing more, so that
	// the connection can be used again. Beyond them, closing it is cheaper.
	graceBytes = 64 << 10
	graceTime  = time.Second

	// rawExcerpt is how much of a refusal is looked at for the excerpt.
	rawExcerpt = 4 << 10
)

// answer is a response on its way to a verdict.
type answer struct {
	*http.Response
	req    *http.Request // as it was sent at first
	cancel func()        // ends the request, and with it a body that trickles
}

// what names the request that was answered, which is another one than req after a redirect.
func (a *answer) what() string {
	last := a.req
	if a.Request != nil && a.Request.URL != nil {
		last = a.Request
	}
	return last.Method + " " + redacted(last.URL)
}

// inGrace runs read, and ends the request if that takes too long.
func (a *answer) inGrace(read func(r io.Reader)) {
	timer := time.AfterFunc(graceTime, a.cancel)
	defer timer.Stop()
	read(io.LimitReader(a.Body, graceBytes+1))
}

func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

// acceptance returns what has become of the n items of a request that was answered with 2xx.
func (s *Sink[T]) acceptance(ctx context.Context, a answer, n int) error {
	if s.results == nil {
		a.inGrace(drain)
		return nil
	}
	b := s.answers.get()
	err := a.readAll(b, s.maxBody)
	if err != nil {
		s.answers.put(b)
		if ctx.Err() != nil {
			return ended(ctx, "the batch may have been written")
		}
		return fmt.Errorf("httpsink: %s: reading the results: %w", a.what(), s.secretsOf(a.req).hide(err))
	}
	err = s.results(&Response{Status: a.StatusCode, Header: a.Header, Body: b.data}, n)
	s.answers.put(b)
	if err == nil || isPartial(err) {
		return err
	}
	return fmt.Errorf("httpsink: %s: %w", a.what(), err)
}

// readAll reads the body into b, if it has max bytes at most.
func (a *answer) readAll(b *body, max int) error {
	buf := bytes.NewBuffer(b.data[:0])
	n, err := buf.ReadFrom(io.LimitReader(a.Body, int64(max)))
	b.data = buf.Bytes()
	if err != nil || n < int64(max) {
		return err
	}
	var one [1]byte
	switch more, err := io.ReadFull(a.Body, one[:]); {
	case more > 0:
		return fmt.Errorf("the answer is longer than WithMaxResponse(%d) allows", max)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// refusal returns the error for a status that is not 2xx.
func (s *Sink[T]) refusal(a answer) error {
	var raw []byte
	a.inGrace(func(r io.Reader) {
		raw, _ = io.ReadAll(io.LimitReader(r, rawExcerpt))
		drain(r)
	})
	excerpt := s.secretsOf(a.req).excerpt(raw, len(raw) == rawExcerpt)
	return s.status.mark(newStatusError(a.req, a.Response, excerpt), a.Response)
}

// classifier knows what statuses mean.
type classifier struct{ transient map[int]bool }

// newClassifier returns one with the 4xx that are not the fault of the items.
func newClassifier() classifier {
	return classifier{transient: map[int]bool{
		http.StatusUnauthorized:       true, // credentials expire, and are renewed
		http.StatusForbidden:          true, // the same; some servers do not tell the two apart
		http.StatusProxyAuthRequired:  true,
		http.StatusRequestTimeout:     true,
		http.StatusMisdirectedRequest: true, // of this connection
		http.StatusTooEarly:           true,
		http.StatusTooManyRequests:    true,
	}}
}

// mark marks err, the error for resp, which is not 2xx.
func (c classifier) mark(err error, resp *http.Response) error {
	status := resp.StatusCode
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return batcher.TooLarge(err)
	case status >= 300 && status < 500 && !c.transient[status]:
		return batcher.Permanent(err)
	}
	if after, ok := retryAfter(resp.Header, time.Now()); ok {
		return batcher.RetryAfter(err, after)
	}
	return err
}
