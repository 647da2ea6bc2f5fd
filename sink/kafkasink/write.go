package kafkasink

// Write: produce a batch and wait for all of its acknowledgements.

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-4c1eaf8a/batcher"
)

// Write produces a record for each item and waits until every one of them is acknowledged. It is a
// [batcher.FlushFunc], safe for concurrent use, and does not keep the batch.
//
// It returns nil if every record was acknowledged as the client's [kgo.RequiredAcks] wants it, and
// else
//   - a [*batcher.PartialError] that names the items that failed, each with an error of its own:
//     Permanent if the record function refused it, or if the brokers refused its record alone;
//   - one error for the whole batch, if all records failed for the same reason;
//   - an error that wraps the cause of ctx if that ended. Write then returns at once, but records
//     that were sent may still be written, by the client, while and after it returns. They
//     cannot be called back: see "Duplicates" in the package documentation.
//
// See "Which errors are permanent" in the package documentation for the marks.
//
// The cost of making the records is four allocations a batch, whatever its size (one per item more if
// that has headers): among them one slab of all records and one copy of all bytes.
func (s *Sink[T]) Write(ctx context.Context, batch []T) error {
	if len(batch) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ended(ctx)
	}
	rs := s.encode(batch)
	if len(rs.good) == 0 {
		return &batcher.PartialError{Errs: rs.bad}
	}
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	failed, err := s.produce(ctx, rs.good)
	if err != nil {
		return err
	}
	if suspects := suspectsAmong(rs.good, failed); len(suspects) > 0 {
		if err := s.isolate(ctx, suspects, failed); err != nil {
			return err
		}
	}
	return rs.outcome(failed)
}

// failures are the errors of a produce call: none for the records that were written.
type failures map[*kgo.Record]error

// produce sends rs and waits for them, or for the end of ctx, which is then the error. The caller
// has entered the gate; the call leaves it when the client has let go of all the records, which
// may be after the return.
//
// ProduceSync has no way to stop waiting, so it has a goroutine of its own. What was not done is
// to call Produce from here, with a promise that counts: the client's linger (10 ms by default)
// would then be added to every batch, and only ProduceSync can cut it short for these
// records alone.
func (s *Sink[T]) produce(ctx context.Context, rs []*kgo.Record) (failures, error) {
	done := make(chan kgo.ProduceResults, 1) // one send, by the goroutine; never closed
	go func() {
		results := s.client.ProduceSync(ctx, rs...)
		s.gate.leave()
		done <- results
	}()
	select {
	case results := <-done:
		return sortOut(ctx, rs, results)
	case <-ctx.Done():
		return nil, ended(ctx)
	}
}

// sortOut finds the failures among the results.
func sortOut(ctx context.Context, rs []*kgo.Record, results kgo.ProduceResults) (failures, error) {
	if len(results) != len(rs) {
		return nil, fmt.Errorf("kafkasink: the client answered for %d of %d records", len(results), len(rs))
	}
	var failed failures
	for _, result := range results {
		if result.Err == nil {
			continue
		}
		if ctx.Err() != nil { // most likely the reason, and the batch is to be tried again anyway
			return nil, ended(ctx)
		}
		if failed == nil {
			failed = make(failures)
		}
		failed[result.Record] = result.Err
	}
	return failed, nil
}

// outcome makes one error of all. If no record was written, and for one reason which does not lie
// in the items, that reason stands for the batch: it is tried again as it is. Then the items that
// were refused before are left out, since the next attempt will find them again.
func (rs *records) outcome(failed failures) error {
	if len(failed) == 0 && len(rs.bad) == 0 {
		return nil
	}
	if len(failed) == len(rs.good) {
		if err := commonReason(failed); err != nil {
			return err
		}
	}
	errs := rs.bad
	if errs == nil {
		errs = make(map[int]error, len(failed))
	}
	for i := range rs.slab {
		if err := failed[&rs.slab[i]]; err != nil {
			errs[i] = classify(err)
		}
	}
	return &batcher.PartialError{Errs: errs}
}

// commonReason returns the error that all the records failed with, nil if there are several, or
// if each record was found guilty by itself.
func commonReason(failed failures) error {
	var first error
	for _, err := range failed {
		switch {
		case isCondemned(err):
			return nil
		case first == nil:
			first = err
		case first != err && first.Error() != err.Error():
			return nil
		}
	}
	if first == nil {
		return nil
	}
	return classify(first)
}

// ended returns the error of a ctx that has ended. Both its cause and its Err are found in it.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if cause == ctx.Err() {
		return fmt.Errorf("kafkasink: %w", cause)
	}
	return fmt.Errorf("kafkasink: %w (%w)", cause, ctx.Err())
}
