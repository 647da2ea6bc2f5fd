package httpsink

// Answers: reading them, within bounds, and what a status means.
//
// The status line is the verdict. What follows is read for three reasons: to use the connection
// again, for an excerpt in the error, and for the results of each item. The first two are not
// worth a wait, so a server that hangs there costs a second and not the whole attempt; the third is
// what the attempt is for, so its context is the bound.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
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

// inGrace runs read on the body, and ends the request if that takes too long. Ending the request is
// the one way to stop a Read that holds for every transport: closing the body beside it is not.
func (a *answer) inGrace(read func(r io.Reader)) {
	timer := time.AfterFunc(graceTime, a.cancel)
	defer timer.Stop()
	read(io.LimitReader(a.Body, graceBytes+1))
}

// drain reads to the end, or as far as it goes: an error is no news after the verdict.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

// acceptance returns what has become of the n items of a request that was answered with 2xx.
// Without a function that reads results, all were written: that the rest of the answer breaks off
// takes nothing back.
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

// readAll reads the body into b, if it has max bytes at most. It reads to the end of the stream, and
// not only to the last byte: otherwise the connection could not be used again.
func (a *answer) readAll(b *body, max int) error {
	limit := min(int64(max), math.MaxInt64-1)
	buf := bytes.NewBuffer(b.data[:0])
	n, err := buf.ReadFrom(io.LimitReader(a.Body, limit+1))
	b.data = buf.Bytes()
	if err == nil && n > limit {
		return fmt.Errorf("the answer is longer than WithMaxResponse(%d) allows", max)
	}
	return err
}

// refusal returns the error for a status that is not 2xx, with as much of the body as came in time.
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

// mark marks err, the error for resp, which is not 2xx. Statuses that there are not, from 600 on or
// below 200, count as a server's failure. A Retry-After beside 413 is not heeded: the batch is
// split, and the halves are another matter.
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
