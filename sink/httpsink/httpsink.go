package httpsink

// The sink: what is made once, and the steps of a Write.

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/seed-4c1eaf8a/batcher"
)

// Sink writes batches to one HTTP endpoint, a request for each batch. Its Write method is the flush
// function of a batcher. A Sink is safe for concurrent use; make it with [New].
type Sink[T any] struct {
	enc      encoding[T]
	bodies   bodyPool
	answers  bodyPool
	keys     *keys // nil: no idempotency key
	template *http.Request
	client   *http.Client
	own      *http.Transport // nil if the client is the user's
	hook     func(*http.Request) error
	results  func(resp *Response, n int) error
	maxBody  int
	status   classifier
	secrets  []string // of the configuration; those of one request come on top

	closed atomic.Bool
}

// New returns a sink that writes to url, which needs the scheme http or https and a host. A user
// and password in it are sent as basic authentication, and never shown. Nothing is sent and no
// goroutine is started.
//
// All faults of the URL and the options come in one error that wraps [batcher.ErrConfig].
func New[T any](url string, opts ...Option) (*Sink[T], error) {
	c, faults := newConfig(opts)
	target, fault := parseTarget(url)
	if fault != nil {
		faults = append(faults, fault)
	}
	enc, more := newEncoding[T](c)
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, configError(faults)
	}
	s := &Sink[T]{
		enc:      enc,
		template: c.template(target, enc.contentType),
		client:   c.client,
		hook:     c.hook,
		results:  c.results,
		maxBody:  c.maxResponse,
		status:   c.status,
		secrets:  secretsOf(target),
	}
	if c.keyHeader != "" {
		s.keys = newKeys(c.keyHeader)
	}
	if s.client == nil {
		s.own = newTransport()
		s.client = &http.Client{Transport: s.own}
	}
	s.client = guardRedirects(s.client, c.keyHeader)
	return s, nil
}

// Write sends batch in one request and returns nil if the server has taken it: if the status is
// 2xx and the function of [WithResults], if there is one, has no objection. Nil or empty batches
// are written by doing nothing. Write does not keep the slice, nor anything that the items point
// to. It may be called from several goroutines at once, and panics if ctx is nil.
//
// Errors and their marks are those of the package documentation, "What an error means":
//   - a [*StatusError] for a status that is not 2xx;
//   - an error that wraps the cause of ctx if that ended: the server may have taken the batch;
//   - a [*batcher.PartialError] if only some of the items failed, because they could not be
//     encoded, or because the function of WithResults says so;
//   - anything else is a failure of the connection, or an answer that makes no sense.
//
// A panic of a function of the user's passes through, and leaves the sink as it was.
//
// Write costs a constant number of allocations, most of them those of net/http. An item costs
// none, except what its encoder allocates.
func (s *Sink[T]) Write(ctx context.Context, batch []T) error {
	if ctx == nil {
		panic("httpsink: Write: nil context")
	}
	if len(batch) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ended(ctx, "nothing was sent")
	}
	e, err := s.enc.encode(batch, &s.bodies)
	if err != nil {
		return err
	}
	if e.sent == 0 {
		return &batcher.PartialError{Errs: e.bad}
	}
	lent := s.bodies.lend(e.body)
	defer lent.release()
	return e.inBatch(s.send(ctx, lent, e))
}

// Close closes the connections that are idle, if the sink has made its own client: call it after
// the batcher's Close, and no goroutine is left. A Write after Close, or one that still runs, works
// as ever, and its connection is closed when it ends. With [WithClient] Close does nothing: the
// client is the user's.
func (s *Sink[T]) Close() {
	s.closed.Store(true)
	s.closeIdle()
}

func (s *Sink[T]) closeIdle() {
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
}
