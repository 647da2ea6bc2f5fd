package copy_from

// The fix of the textbook: a pgx.CopyFromSource with one row, which is used again for each event.

import "context"

// source is a pgx.CopyFromSource. pgx encodes a row before it asks for the next one, and keeps none, so
// that one is enough.
type source struct {
	batch []Event
	next  int
	row   [3]any
}

// Next reports whether there is another event.
func (s *source) Next() bool { return s.next < len(s.batch) }

// Values returns the next row, which is valid until the next call. The row is not allocated any more.
// What goes into it still is: a string in an interface is a pointer to a copy of its header.
func (s *source) Values() ([]any, error) {
	e := &s.batch[s.next]
	s.next++
	s.row[0], s.row[1], s.row[2] = e.UserID, e.Action, e.Time
	return s.row[:], nil
}

// Err reports nothing: reading memory cannot fail.
func (s *source) Err() error { return nil }

// WriteSource stores the batch.
func (s *Store) WriteSource(ctx context.Context, batch []Event) error {
	_, err := s.pool.CopyFrom(ctx, table, columns, &source{batch: batch})
	return err
}
