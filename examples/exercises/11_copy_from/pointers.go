package copy_from

// What the textbook leaves out: a row of pointers, so that the values are not allocated either.

import (
	"context"

	"github.com/jackc/pgx/v5/pgtype"
)

// pointerSource is a pgx.CopyFromSource whose row never changes: it points to three values, and those
// are overwritten for each event. A pointer fits into an interface without an allocation. The values
// have pgx's own types, for which it has encoders that take the pointer; of a *string or a
// *time.Time it would take the value out again, by reflection, into an allocation.
type pointerSource struct {
	batch  []Event
	next   int
	userID pgtype.Text
	action pgtype.Text
	time   pgtype.Timestamptz
	row    [3]any
}

func newPointerSource(batch []Event) *pointerSource {
	s := &pointerSource{batch: batch}
	s.row = [3]any{&s.userID, &s.action, &s.time}
	return s
}

// Next reports whether there is another event.
func (s *pointerSource) Next() bool { return s.next < len(s.batch) }

// Values returns the next row, which is valid until the next call.
func (s *pointerSource) Values() ([]any, error) {
	e := &s.batch[s.next]
	s.next++
	s.userID = pgtype.Text{String: e.UserID, Valid: true}
	s.action = pgtype.Text{String: e.Action, Valid: true}
	s.time = pgtype.Timestamptz{Time: e.Time, Valid: true}
	return s.row[:], nil
}

// Err reports nothing: reading memory cannot fail.
func (s *pointerSource) Err() error { return nil }

// WritePointers stores the batch.
func (s *Store) WritePointers(ctx context.Context, batch []Event) error {
	_, err := s.pool.CopyFrom(ctx, table, columns, newPointerSource(batch))
	return err
}
