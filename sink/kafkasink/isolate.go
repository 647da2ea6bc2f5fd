package kafkasink

// Finding the record that a partition failed for.

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// suspectsAmong returns the records of which any one may have been the reason for their failure, in
// order.
func suspectsAmong(rs []*kgo.Record, failed failures) (suspects []*kgo.Record) {
	if len(failed) == 0 {
		return nil
	}
	for _, r := range rs {
		if isContentError(failed[r]) {
			suspects = append(suspects, r)
		}
	}
	return suspects
}

// isolate tries the suspects again until the guilty ones are alone, and puts what it finds into
// failed: those that are written are taken out, the guilty ones are condemned. The error is that
// of ctx.
//
// A broker refuses a batch as a whole, and the client then fails whatever it holds for
// the partition, so as not to leave a gap: the innocent records of this batch, and those of
// other Writes. To be sure of a culprit no other Write must be under way; the gate sees to that. The
// halves are sent in order, so the order within the partition is kept. One culprit among n suspects
// costs about 2 log2(n) calls.
//
// What was not done is to leave this to WithBisect: it would condemn innocent records of other
// Writes, and, without that option, all of them.
func (s *Sink[T]) isolate(ctx context.Context, suspects []*kgo.Record, failed failures) error {
	if err := s.gate.lock(ctx); err != nil {
		return err
	}
	defer s.gate.unlock()
	return s.narrow(ctx, suspects, failed)
}

// narrow sends the suspects alone, and their halves if that fails for the same kind of reason.
func (s *Sink[T]) narrow(ctx context.Context, suspects []*kgo.Record, failed failures) error {
	s.gate.begin()
	again, err := s.produce(ctx, suspects)
	if err != nil {
		return err
	}
	for _, r := range suspects {
		delete(failed, r)
		if err := again[r]; err != nil && !isContentError(err) {
			failed[r] = err
		}
	}
	rest := suspectsAmong(suspects, again)
	switch {
	case len(rest) == 0:
		return nil
	case len(rest) == 1 && len(suspects) == 1:
		failed[rest[0]] = &condemned{again[rest[0]]}
		return nil
	case len(rest) == 1:
		return s.narrow(ctx, rest, failed)
	}
	half := (len(rest) + 1) / 2
	if err := s.narrow(ctx, rest[:half], failed); err != nil {
		return err
	}
	return s.narrow(ctx, rest[half:], failed)
}
