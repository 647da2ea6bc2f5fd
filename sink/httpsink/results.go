package httpsink

// Results per item: what a 2xx answer says, in terms of the batch.

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seed-4c1eaf8a/batcher"
)

// Response is an answer with a 2xx status, for the function of [WithResults], which must not keep
// it.
type Response struct {
	// Status is the status code, from 200 to 299.
	Status int

	// Header is that of the answer.
	Header http.Header

	// Body is the whole body. Its memory is used again after the call.
	Body []byte
}

func isPartial(err error) bool {
	var partial *batcher.PartialError
	return errors.As(err, &partial)
}

// inBatch returns the outcome of the whole batch, given err, the outcome of what was sent of it. If
// all of that has failed, so has the batch, with that error alone: the marks on it are not to
// condemn the items that could not be encoded, which fail again at the next attempt.
func (e *encoded) inBatch(err error) error {
	var partial *batcher.PartialError
	switch {
	case err == nil && e.bad == nil:
		return nil
	case err == nil:
		return &batcher.PartialError{Errs: e.bad}
	case !errors.As(err, &partial):
		return err
	case !usable(partial, e.sent):
		// Without the PartialError, whose indexes may happen to fit the whole batch.
		return fmt.Errorf("httpsink: results that fit no item, or more than the %d sent: %v", e.sent, err)
	case e.bad == nil:
		return err
	}
	return remark(err, &batcher.PartialError{Errs: e.merge(partial.Errs)})
}

// usable reports whether partial says which ones of n items failed.
func usable(partial *batcher.PartialError, n int) bool {
	failed := false
	for i, err := range partial.Errs {
		if i < 0 || i >= n {
			return false
		}
		failed = failed || err != nil
	}
	return failed
}

// merge returns errs, which go by the index among the items sent, together with those of the items
// that were not, by the index in the batch. It counts along instead of keeping a table of indexes,
// which nearly no batch would need.
func (e *encoded) merge(errs map[int]error) map[int]error {
	all := make(map[int]error, len(errs)+len(e.bad))
	sent := 0
	for i := range e.size {
		if bad := e.bad[i]; bad != nil {
			all[i] = bad
			continue
		}
		if err := errs[sent]; err != nil {
			all[i] = err
		}
		sent++
	}
	return all
}

// remark puts the marks that are around the PartialError in err around partial.
func remark(err error, partial error) error {
	if after, ok := batcher.RetryDelay(err); ok {
		partial = batcher.RetryAfter(partial, after)
	}
	if batcher.IsPermanent(err) {
		partial = batcher.Permanent(partial)
	}
	return partial
}
