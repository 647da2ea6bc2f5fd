package httpsink

// Bodies: pooled buffers, and who still reads one when.

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// body is a buffer with the bytes of a request or an answer.
type body struct{ data []byte }

// take appends added, which may have been written into the free capacity of b.data already: then
// only the length changes. Anything else is copied, from wherever it is.
func (b *body) take(added []byte) {
	n := len(b.data)
	if free := b.data[n:cap(b.data)]; len(added) > 0 && len(free) > 0 && &added[0] == &free[0] {
		b.data = b.data[:n+len(added)]
		return
	}
	b.data = append(b.data, added...)
}

// bodyPool recycles bodies. Each sink has its own: what is in it goes when the sink goes, and the
// garbage collector empties it when the sink is idle.
type bodyPool struct {
	bodies sync.Pool    // of *body, empty
	usual  atomic.Int64 // a slowly falling maximum of the sizes of recent bodies, in bytes
}

// smallBody is the size in bytes up to which a buffer is always kept.
const smallBody = 64 << 10

// get returns an empty body, which the caller owns.
func (p *bodyPool) get() *body {
	if b, ok := p.bodies.Get().(*body); ok {
		return b
	}
	return new(body)
}

// put takes ownership of b, and keeps it unless it is far larger than what is usual now. Four times
// leaves room for the growth of append, which may double a buffer, and for batches of unequal size.
func (p *bodyPool) put(b *body) {
	p.note(len(b.data))
	if size := cap(b.data); size <= smallBody || int64(size) <= 4*p.usual.Load() {
		b.data = b.data[:0]
		p.bodies.Put(b)
	}
}

// note takes the size of a body into account. Concurrent calls may lose one another's news, which
// does no harm.
func (p *bodyPool) note(size int) {
	usual := p.usual.Load()
	if n := int64(size); n >= usual {
		usual = n
	} else {
		usual -= (usual - n + 7) / 8
	}
	p.usual.Store(usual)
}

// loan is the body of one Write, lent to net/http, which may read it in goroutines of its own even
// after the answer is there: a server may answer before it has read everything. What net/http
// promises is to close each reader in the end. So the body goes back to the pool when Write has
// returned and all readers are closed, whichever comes last; never, if one is not.
//
// The loan is not reused. A reader that is asked for late, after the body is gone, cannot
// get at the bytes of another batch.
type loan struct {
	pool *bodyPool
	size int

	mu    sync.Mutex // guards the fields below; never held while waiting
	users int        // readers that are open, and Write
	body  *body      // nil once it went back
	last  *reader    // the latest one
}

// lend takes ownership of b. The caller is its first user.
func (p *bodyPool) lend(b *body) *loan {
	return &loan{pool: p, size: len(b.data), users: 1, body: b}
}

var (
	errGone   = errors.New("httpsink: the body is asked for after the request has ended")
	errClosed = errors.New("httpsink: read of a closed body")
)

// open returns a reader of the body from the start, which the caller closes.
func (l *loan) open() (*reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.body == nil {
		return nil, errGone
	}
	l.users++
	l.last = &reader{loan: l, data: l.body.data}
	return l.last, nil
}

// consumed reports whether the latest reader was read to its end.
func (l *loan) consumed() bool {
	l.mu.Lock()
	last := l.last
	l.mu.Unlock()
	last.mu.Lock()
	defer last.mu.Unlock()
	return last.pos == l.size
}

// latest returns the reader that was opened last.
func (l *loan) latest() io.ReadCloser {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// release ends the use by one user.
func (l *loan) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users == 0 {
		l.pool.put(l.body)
		l.body = nil
	}
}

// reader is a body on its way into one connection. Read and Close may race: a transport that gives
// up closes the body under the goroutine that writes it.
type reader struct {
	loan *loan

	mu     sync.Mutex // guards the fields below; held while bytes are copied, so Close waits for that
	data   []byte
	pos    int
	closed bool
}

// Read copies what comes next.
func (r *reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, errClosed
	}
	n := copy(p, r.data[r.pos:])
	if r.pos += n; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close ends the use of the body. Only the first call does something.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed, r.data = true, nil
		r.loan.release()
	}
	return nil
}
