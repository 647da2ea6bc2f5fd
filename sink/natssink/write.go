package natssink

// Write: publish a batch and wait for all of its acknowledgements.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed-4c1eaf8a/batcher"
)

// ErrAckTimeout is the failure of an item whose message was published, and of which nothing was heard
// for the time of [WithAckTimeout]. It may have been stored. It is worth another attempt.
var ErrAckTimeout = errors.New("natssink: no acknowledgement in time")

// Write publishes a message for each item and waits until every one of them is acknowledged. It is a
// [batcher.FlushFunc], safe for concurrent use, and does not keep the batch.
//
// It returns nil if the stream has every message: stored now or, by its id, before. Else it returns
//   - a [*batcher.PartialError] that names the items that failed, each with an error of its own;
//   - one error for the whole batch, if all messages failed for the same passing reason;
//   - an error that wraps the cause of ctx if that ended. Write then returns at once; messages that
//     were published may be stored all the same, and a few more may be published.
//
// While the client reconnects, Write waits for it until ctx ends, and publishes nothing. If the
// connection is lost in mid-write, the items that were not acknowledged fail. See "Which errors are
// permanent" in the package documentation for the marks.
func (s *Sink[T]) Write(ctx context.Context, batch []T) error {
	if len(batch) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	messages, bad := s.encode(batch)
	if len(messages) == 0 {
		return &batcher.PartialError{Errs: bad}
	}
	f, err := s.publisher.start(len(messages))
	if err != nil {
		return fmt.Errorf("natssink: %w", err)
	}
	defer s.publisher.end(f)
	go s.publisher.fly(f, messages, s.config.stream)
	if err := s.await(ctx, f); err != nil {
		return err
	}
	return outcome(messages, f.errs, bad)
}

// await waits until every message is settled, or ctx ends, which is then the error. It settles
// those that have waited too long.
func (s *Sink[T]) await(ctx context.Context, f *flight) error {
	var timeout <-chan time.Time // nil, so never, if there is none
	if s.config.ackTimeout > 0 {
		ticker := time.NewTicker(s.config.ackTimeout)
		defer ticker.Stop()
		timeout = ticker.C
	}
	before, waited := 0, false // what the last tick has seen
	for {
		select {
		case <-f.done:
			return nil
		case <-ctx.Done():
			return ended(ctx)
		case <-timeout:
			settled, begun := f.progress()
			if begun && waited && settled == before {
				f.failRest(ErrAckTimeout)
			}
			before, waited = settled, begun
		}
	}
}

// outcome makes one error of all. If no message was stored, and for one reason that will pass, that
// reason stands for the batch: it is tried again as it is. Then the items that were refused before
// are left out, since the next attempt will find them again.
func outcome(messages []message, errs []error, bad map[int]error) error {
	failed, common := 0, true
	var first error
	for _, err := range errs {
		switch {
		case err == nil:
			continue
		case first == nil:
			first = err
		case first != err && first.Error() != err.Error():
			common = false
		}
		failed++
	}
	if failed == 0 && len(bad) == 0 {
		return nil
	}
	if failed == len(errs) && common {
		if whole := classify(first); !batcher.IsPermanent(whole) {
			return whole
		}
	}
	if bad == nil {
		bad = make(map[int]error, failed)
	}
	for i, err := range errs {
		if err != nil {
			bad[messages[i].item] = classify(err)
		}
	}
	return &batcher.PartialError{Errs: bad}
}

// ended returns the error of a ctx that has ended. Both its cause and its Err are found in it.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if cause == ctx.Err() {
		return fmt.Errorf("natssink: %w", cause)
	}
	return fmt.Errorf("natssink: %w (%w)", cause, ctx.Err())
}

// isMessageError reports whether PublishMsg has failed for the message, and not for the connection.
func isMessageError(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) ||
		errors.Is(err, nats.ErrBadHeaderMsg) || errors.Is(err, nats.ErrInvalidMsg)
}
