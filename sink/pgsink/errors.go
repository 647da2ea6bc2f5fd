package pgsink

// Errors: what Write returns, and what they say.

import (
	"context"
	"fmt"

	"github.com/seed-4c1eaf8a/batcher"
)

// RowError says which item of a batch cannot be written, and why: it could not be encoded, or the
// server has refused it, as data that a column does not take or a constraint forbids. It stands,
// marked with [batcher.Permanent], in the entries of a [*batcher.PartialError], or, when
// [WithIsolation] is used up or off, is what fails the whole batch, of which nothing was written
// then.
//
// The server gives the row of most errors in the data and of NOT NULL, CHECK, unique and exclusion
// constraints and row triggers. It does not for foreign keys and other constraints that it checks
// at the end, and not when rows come from the staging table (see "Idempotent writes"), unless
// the batch had a single row: then the error is the server's [pgconn.PgError] without a RowError,
// whose Detail often has the key, and [batcher.WithBisect] finds the item.
type RowError struct {
	// Row is the index of the item in the slice that was passed to Write.
	Row int

	// Column is the name of the column, "" if the server does not say.
	Column string

	// Constraint is the name of the constraint that forbids the row, "" if it is none.
	Constraint string

	// Err is the cause: an error of the server is a [*pgconn.PgError].
	Err error
}

// Error says which item failed and why. Values of the item are not in it, other than what the
// server's message quotes.
func (e *RowError) Error() string {
	text := fmt.Sprintf("item %d of the batch", e.Row)
	if e.Column != "" {
		text += fmt.Sprintf(", column %q", e.Column)
	}
	return fmt.Sprintf("pgsink: %s: %v", text, e.Err)
}

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// CountError says that the table has taken another number of rows than it was given, and that
// without an error: a trigger or a rule has skipped some, or put them elsewhere. What it has taken
// is committed, and which rows these are is not known.
//
// So every item of the batch fails for good: the error is marked with [batcher.Permanent] and
// comes with a [*batcher.PartialError] of all items, with which a batcher neither tries them again nor
// bisects the batch, either of which would write most of them twice. [WithoutCountCheck] turns the
// check off.
type CountError struct {
	// Table is the name of the table, quoted.
	Table string

	// Sent is the number of rows that were sent, Written the number that the server says.
	Sent, Written int64
}

// Error gives the numbers.
func (e *CountError) Error() string {
	return fmt.Sprintf("pgsink: table %s has taken %d of %d rows and reported no error, as when a trigger skips rows",
		e.Table, e.Written, e.Sent)
}

// miscounted returns the failure of all items of a batch, which errors.As finds to be a CountError
// as well as a PartialError.
func miscounted(table string, sent int, written int64, batch int, bad map[int]error) error {
	count := &CountError{Table: table, Sent: int64(sent), Written: written}
	each := batcher.Permanent(count)
	errs := make(map[int]error, batch)
	for i := range batch {
		if errs[i] = bad[i]; errs[i] == nil {
			errs[i] = each
		}
	}
	return batcher.Permanent(&countFailure{count, &batcher.PartialError{Errs: errs}})
}

type countFailure struct {
	count   *CountError
	partial *batcher.PartialError
}

func (e *countFailure) Error() string   { return e.count.Error() }
func (e *countFailure) Unwrap() []error { return []error{e.count, e.partial} }

// failure returns err, which ended what was being done, with its marks. If the context has ended,
// that is the cause, unless the server has answered with an error of its own. (57014 is its answer
// to being told that nobody waits any more.)
func failure(ctx context.Context, doing string, err error) error {
	if code := codeOf(err); ctx.Err() != nil && (code == "" || code == queryCanceled) {
		return ended(ctx, doing, err)
	}
	return Classify(fmt.Errorf("pgsink: %s: %w", doing, err))
}

const queryCanceled = "57014"

// ended returns the error for a context that has ended. Both its cause and its own error are found
// in it.
func ended(ctx context.Context, doing string, err error) error {
	cause := context.Cause(ctx)
	if err == nil {
		err = ctx.Err()
	}
	return &endedError{fmt.Sprintf("pgsink: %s: %v", doing, cause), []error{cause, ctx.Err(), err}}
}

type endedError struct {
	text string
	errs []error
}

func (e *endedError) Error() string   { return e.text }
func (e *endedError) Unwrap() []error { return e.errs }
