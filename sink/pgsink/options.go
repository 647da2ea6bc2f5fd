package pgsink

// Options: what can be chosen, what is chosen when nothing is said, and what is refused.

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// Option configures a sink; see the functions that return one. An option given twice counts as
// last given. The order does not matter.
type Option func(*config)

// conflict is what happens to a row that the table has already.
type conflict uint8

const (
	fails   conflict = iota // the batch fails
	skipped                 // ON CONFLICT DO NOTHING
	updates                 // ON CONFLICT DO UPDATE
)

// config holds what the options said.
type config struct {
	conflict    conflict
	target      []string
	update      []string
	insertBelow int
	isolate     int
	uncounted   bool

	nothingSet, updateSet, belowSet bool
}

// The defaults. BenchmarkSmall has the measurements: up to here, INSERT takes less of the server's
// and of the client's time than COPY, and the way over a staging table is longer.
const (
	defaultInsertBelow = 10
	defaultUpsertBelow = 20
	defaultIsolation   = 8 // a bisection of 500 items takes 18 attempts to find one
)

// newConfig returns the defaults with opts applied, and what is wrong with it as far as it can be
// told without the server.
func newConfig(opts []Option) (*config, []error) {
	c := &config{insertBelow: defaultInsertBelow, isolate: defaultIsolation}
	var faults []error
	for i, opt := range opts {
		if opt == nil {
			faults = append(faults, fmt.Errorf("option %d of %d is nil", i+1, len(opts)))
			continue
		}
		opt(c)
	}
	if c.conflict != fails && !c.belowSet {
		c.insertBelow = defaultUpsertBelow
	}
	return c, append(faults, c.faults()...)
}

func (c *config) faults() []error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.nothingSet && c.updateSet, "OnConflictDoNothing and OnConflictUpdate: a row has one fate")
	fault(c.insertBelow < 0, "WithInsertBelow(%d): must not be negative", c.insertBelow)
	fault(c.isolate < 0, "WithIsolation(%d): must not be negative", c.isolate)
	option := c.conflictOption()
	for i, name := range c.target {
		fault(slices.Contains(c.target[:i], name), "%s: target column %q is given twice", option, name)
	}
	fault(c.conflict == updates && len(c.target) == 0, "%s: no target columns", option)
	for i, name := range c.update {
		fault(slices.Contains(c.update[:i], name), "%s: column %q is to be updated twice", option, name)
		fault(slices.Contains(c.target, name), "%s: column %q is a target column and stays as it is", option, name)
	}
	return faults
}

func (c *config) conflictOption() string {
	if c.conflict == updates {
		return "OnConflictUpdate"
	}
	return "OnConflictDoNothing"
}

// configError joins faults into one error that wraps batcher.ErrConfig.
func configError(faults []error) error {
	return fmt.Errorf("pgsink: %w:\n%w", batcher.ErrConfig, errors.Join(faults...))
}

// OnConflictDoNothing skips rows that the table has already, so that a batch may be written twice:
// those whose target columns are equal to those of another row, of the table or of the batch, of
// which the first one is kept. The target columns must be the ones of a unique index or
// constraint, and columns of the sink, on which the user needs the privilege SELECT. Without any,
// every unique or exclusion constraint counts, of which none may be deferrable.
//
// Default is that such a row fails the batch, with [RowError]. See "Idempotent writes" in the
// package documentation for how it is done and what it costs. Excludes [OnConflictUpdate].
func OnConflictDoNothing(target ...string) Option {
	target = slices.Clone(target)
	return func(c *config) { c.conflict, c.target, c.nothingSet = skipped, target, true }
}

// OnConflictUpdate updates rows that the table has already: those whose target columns are equal
// get the values of the columns in update, without any, those of all the sink's columns that are
// not in target. Of several such rows in one batch, the last one counts. The target columns must be
// the ones of a unique index or constraint, and all must be columns of the sink, on which the user
// needs the privilege SELECT.
//
// A retry writes the same values again. But batches of several workers are written in any order: a
// retry may put an older value over a newer one. With one worker and a table that nobody else writes
// to, the last value wins. Excludes [OnConflictDoNothing].
func OnConflictUpdate(target []string, update ...string) Option {
	target, update = slices.Clone(target), slices.Clone(update)
	return func(c *config) { c.conflict, c.target, c.update, c.updateSet = updates, target, update, true }
}

// WithInsertBelow writes batches of fewer than n rows with an INSERT of several rows in place of a
// COPY. With OnConflictDoNothing and OnConflictUpdate it does without the staging table, which is 25 to
// 37 % faster for up to 20 rows; otherwise no difference was found up to 10 rows, and beyond that
// COPY is faster (BenchmarkSmall). 0 means never. The protocol allows 65535 parameters in a statement,
// rows times columns: a batch that has more is copied, whatever n is, so math.MaxInt means wherever
// it is possible. Default 10, and 20 with OnConflictDoNothing or OnConflictUpdate.
func WithInsertBelow(n int) Option {
	return func(c *config) { c.insertBelow, c.belowSet = n, true }
}

// WithIsolation lets a Write take up to n rows out that the server refuses by number, see
// [RowError], and send the others again: at once, within the same attempt, and without risk, since
// the server has written nothing. Those rows then fail alone, in a [*batcher.PartialError]. When
// there are more, the whole batch fails with the last one's RowError. 0 leaves it all to
// [batcher.WithBisect], which takes about 2 log2(len(batch)) attempts for each such row. Default 8.
func WithIsolation(n int) Option { return func(c *config) { c.isolate = n } }

// WithoutCountCheck takes it as a success if the table takes fewer rows than were sent, which is
// a [CountError] otherwise: for tables with a trigger that skips rows, or puts them elsewhere, on
// purpose. It is of no effect with OnConflictDoNothing and OnConflictUpdate, where no rows are
// counted.
func WithoutCountCheck() Option { return func(c *config) { c.uncounted = true } }
