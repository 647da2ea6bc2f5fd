package httpsink

// Sending: one request, and what net/http makes of it. What the server makes of it is in answer.go.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// send makes one request with the body lent, that of e, and judges the answer.
//
// The deferred calls matter in their order: the body of the answer is closed first, so that its
// connection is idle if it was read to the end; then the attempt's context ends, which breaks what
// was not; and last, after a Close of the sink, the idle connections are closed.
func (s *Sink[T]) send(ctx context.Context, lent *loan, e encoded) error {
	attempt, cancel := context.WithCancel(ctx)
	defer s.leave()
	defer cancel()
	req, err := s.request(attempt, lent, e)
	if err != nil {
		if ctx.Err() != nil {
			return ended(ctx, "nothing was sent")
		}
		return err
	}
	ours := req.Body == lent.latest() // else the hook has wrapped it, and knows what it does
	resp, err := s.client.Do(req)
	if err != nil {
		return s.failure(ctx, req, resp, err)
	}
	defer resp.Body.Close()
	a := answer{req: req, Response: resp, cancel: cancel}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return s.refusal(a)
	}
	// A server that took all items has read them all, and then all of the body has passed through
	// our reader, which comes before the sockets. So this is never wrong about an honest server,
	// and it finds a proxy, say, that answers for a server without it.
	if ours && !lent.consumed() {
		return fmt.Errorf("httpsink: %s: answered %d before it had read the items", a.what(), resp.StatusCode)
	}
	return s.acceptance(ctx, a, e.sent)
}

// leave closes the connection of a Write that Close did not wait for: it was busy then, and has
// been put with the idle ones since.
func (s *Sink[T]) leave() {
	if s.closed.Load() {
		s.closeIdle()
	}
}

// request returns a request with the body lent, by the template and the hook. If it returns an
// error, nothing of the body is in use. After a panic of the hook a reader stays open, so the body
// is left to the garbage collector.
func (s *Sink[T]) request(ctx context.Context, lent *loan, e encoded) (*http.Request, error) {
	body, err := lent.open()
	if err != nil {
		return nil, err
	}
	req := s.template.Clone(ctx) // deep: the hook may change the header and the URL
	if s.keys != nil {
		req.Header.Set(s.keys.header, s.keys.next(ctx, e.bad))
	}
	req.Body, req.ContentLength = body, int64(lent.size)
	req.GetBody = func() (io.ReadCloser, error) {
		r, err := lent.open()
		if err != nil {
			return nil, err // and not a nil *reader in an interface
		}
		return r, nil
	}
	if s.hook == nil {
		return req, nil
	}
	if err := s.hook(req); err != nil {
		body.Close()
		return nil, fmt.Errorf("httpsink: the function of WithRequest: %w", err)
	}
	if req.Body == body { // a fresh one: the hook may have read it, to sign it
		body.Close()
		req.Body, err = lent.open()
	}
	return req, err
}

// failure returns the error for a request that had no answer. resp is not nil if CheckRedirect has
// refused to follow it; its body is closed already.
//
// Nothing here is Permanent. Even a certificate that is not valid, or a name that does not
// resolve, is the machines' fault and not that of the items, which are better kept than given up.
func (s *Sink[T]) failure(ctx context.Context, req *http.Request, resp *http.Response, err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // without the URL, which is not redacted there
	}
	cause := s.secretsOf(req).hide(err)
	switch {
	case ctx.Err() != nil:
		return ended(ctx, "the batch may have been written")
	case resp != nil:
		return s.status.mark(fmt.Errorf("%w: %w", newStatusError(req, resp, ""), cause), resp)
	}
	return fmt.Errorf("httpsink: %s %s: %w", req.Method, redacted(req.URL), cause)
}

// ended returns the error for a ctx that has ended. Its cause and its Err are both found in it.
// What net/http returned is left out: it says the same, or is a symptom of it, as a closed
// connection.
func ended(ctx context.Context, state string) error {
	cause := context.Cause(ctx)
	if err := ctx.Err(); !errors.Is(cause, err) {
		return fmt.Errorf("httpsink: %s: %w: %w", state, err, cause)
	}
	return fmt.Errorf("httpsink: %s: %w", state, cause)
}
