package batchertest

// What the marks on an error say, as one word.

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Verdict is what the marks on an error say.
type Verdict int

// The verdicts. Each error has exactly one; where several marks are found, the first in this
// list counts.
const (
	// Partial: a *batcher.PartialError that names the items.
	Partial Verdict = iota + 1
	// TooLarge: marked with batcher.TooLarge, to be split.
	TooLarge
	// Permanent: marked with batcher.Permanent.
	Permanent
	// Throttled: marked with batcher.RetryAfter.
	Throttled
	// Transient: an error without a mark.
	Transient
)

var verdictNames = [...]string{"no error", "partial", "too large", "permanent", "throttled", "transient"}

// String returns the verdict in lower case: "partial", "too large", "permanent", "throttled" or
// "transient"; of 0, which no error has, "no error".
func (v Verdict) String() string {
	if v >= 0 && int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("Verdict(%d)", int(v))
}

// verdictOf reads the marks of err, which is 0 for nil. A PartialError that names no item is not
// one: to a batcher it is the failure of the whole batch.
func verdictOf(err error) Verdict {
	_, throttled := batcher.RetryDelay(err)
	switch {
	case err == nil:
		return 0
	case partialOf(err) != nil:
		return Partial
	case batcher.IsTooLarge(err):
		return TooLarge
	case batcher.IsPermanent(err):
		return Permanent
	case throttled:
		return Throttled
	}
	return Transient
}

// partialOf returns the PartialError in err if it names items.
func partialOf(err error) *batcher.PartialError {
	var partial *batcher.PartialError
	if errors.As(err, &partial) && partial != nil && usable(partial, math.MaxInt) {
		return partial
	}
	return nil
}
