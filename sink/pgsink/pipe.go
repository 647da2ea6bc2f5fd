package pgsink

// Encoding and sending at the same time: the server works on the first rows while the others are
// still being encoded.

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
)

// ahead is how many bytes are encoded before they are sent. A batch of no more than that is encoded
// as a whole first, and costs no goroutine.
const ahead = 32 << 10

// first encodes batch and sends it, with INSERT or COPY. If nothing of it can be encoded, nothing is
// sent.
//
// A long batch is sent by a goroutine of its own while this one encodes, and not the other way
// round, so that the user's functions run on the batcher's worker, where a panic and runtime.Goexit
// are survived.
func (s *Sink[T]) first(
	ctx context.Context, b *buffer, batch []T, insert bool,
) (written int64, bad map[int]error, err error) {
	until := ahead
	if insert {
		until = math.MaxInt // its parameters are cut from the whole
	}
	b.begin()
	next, bad := s.encodeFrom(0, b, batch, until, nil)
	if next == len(batch) {
		b.finish()
		if b.rows > 0 {
			written, err = s.send(ctx, b, insert)
		}
		return written, bad, err
	}
	sent := make(chan struct{}) // closed by the sender when written and err are set
	defer func() {
		b.flow.abort() // without effect unless a function of the user's has ended the encoding
		<-sent
	}()
	go func() {
		defer close(sent)
		written, err = s.send(ctx, b, false)
	}()
	for next < len(batch) {
		b.flow.publish(b.data, false)
		next, bad = s.encodeFrom(next, b, batch, len(b.data)+ahead, bad)
	}
	b.finish()
	<-sent
	return written, bad, err
}

// flow is what of an encoded batch may be sent. The encoder goes on behind its end, or in a larger
// array, and changes nothing before it.
type flow struct {
	mu    sync.Mutex // guards the fields below; held while bytes are copied, but not while waiting
	more  sync.Cond  // on mu; signalled when something below changes, or a stream is detached
	data  []byte
	whole bool  // data is all there is to send
	err   error // why there will be no more
}

// errAborted is what the server is told of a batch that a function of the user's has ended.
var errAborted = errors.New("pgsink: the batch could not be encoded")

// publish gives data, which begins with what was published before, to be sent.
func (f *flow) publish(data []byte, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data, f.whole = data, whole
	f.more.Broadcast()
}

// abort ends a flow that is not whole.
func (f *flow) abort() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.whole {
		f.err = errAborted
		f.more.Broadcast()
	}
}

// reset makes the flow an empty one. All its streams have been detached.
func (f *flow) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data, f.whole, f.err = nil, false, nil
}

// stream hands the bytes of a flow to pgconn, which reads them in a goroutine of its own. If the
// connection breaks, CopyFrom returns without waiting for that, and it may read once more. So the
// stream, which is not reused, lets go of the flow before its buffer goes to another Write.
type stream struct {
	flow     *flow
	pos      int  // guarded by the flow's lock
	detached bool // the same
}

// Read waits for the next bytes and returns them; io.EOF at the end and after detach.
func (r *stream) Read(p []byte) (int, error) {
	f := r.flow
	f.mu.Lock()
	defer f.mu.Unlock()
	for !r.detached && r.pos == len(f.data) && !f.whole && f.err == nil {
		f.more.Wait()
	}
	switch {
	case r.detached:
		return 0, io.EOF
	case f.err != nil:
		return 0, f.err
	case r.pos == len(f.data):
		return 0, io.EOF
	}
	n := copy(p, f.data[r.pos:])
	r.pos += n
	return n, nil
}

// detach waits for a Read that is copying, ends one that waits, and lets none see the bytes after it.
func (r *stream) detach() {
	r.flow.mu.Lock()
	defer r.flow.mu.Unlock()
	r.detached = true
	r.flow.more.Broadcast()
}
