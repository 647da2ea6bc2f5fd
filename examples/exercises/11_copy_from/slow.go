package copy_from

// The slow way: the rows are made first, all of them.

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// makeRows makes a []any for each event, and one for them all. Each value goes into an interface, which
// takes its own allocation for everything that is larger than a pointer: two strings and a time are
// three, and the row is the fourth. All of it is live at once, until the last row is sent.
func makeRows(batch []Event) [][]any {
	rows := make([][]any, len(batch))
	for i, e := range batch {
		rows[i] = []any{e.UserID, e.Action, e.Time}
	}
	return rows
}

// WriteSlow stores the batch.
func (s *Store) WriteSlow(ctx context.Context, batch []Event) error {
	_, err := s.pool.CopyFrom(ctx, table, columns, pgx.CopyFromRows(makeRows(batch)))
	return err
}

// WriteSlice stores the batch with pgx's helper for slices: the same rows, made one at a time when they
// are sent. The outer slice is gone, and so is most of the garbage that is live at once. The
// allocations for each row are not.
func (s *Store) WriteSlice(ctx context.Context, batch []Event) error {
	_, err := s.pool.CopyFrom(ctx, table, columns, pgx.CopyFromSlice(len(batch), func(i int) ([]any, error) {
		e := &batch[i]
		return []any{e.UserID, e.Action, e.Time}, nil
	}))
	return err
}
