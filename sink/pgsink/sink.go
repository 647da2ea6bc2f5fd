package pgsink

// The sink: what is made once, and the steps of a Write.

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-4c1eaf8a/batcher"
)

// Sink writes batches to a table of PostgreSQL. Its Write method is the flush function of a
// batcher. A Sink is safe for concurrent use; make it with [New]. It holds no connection between
// two Writes, and need not be closed: the pool is the user's.
type Sink[T any] struct {
	pool        *pgxpool.Pool
	table       string // for messages
	relation    string // the name as the server says it in errors
	names       []string
	encoders    []encoder[T]
	fields      int // of a row: columns, and its number if that is needed
	sql         *statements
	insertBelow int
	isolate     int
	counted     bool // all rows must be written

	buffers buffers
}

// New returns a sink that writes to the given columns of table, which is a name, or a schema and a
// name; without a schema it is looked for on the search path, once. Names are exact, upper and lower
// case count.
//
// New asks the server for the table, which takes a few round trips, and checks everything
// against it: the columns are there, are writable, and have types that fit; what must be filled is
// in the list, or has a default, or a trigger may fill it; the user may do what the sink will do;
// the options make sense. All faults come in one error that wraps [batcher.ErrConfig]. If the
// server cannot be reached, the error does not wrap it, and is marked as [Classify] says. New
// panics if ctx is nil.
//
// The columns other than those in the list get their defaults. What New has found is taken to stay:
// after a change of the columns or their types, make a new sink.
func New[T any](
	ctx context.Context, pool *pgxpool.Pool, table pgx.Identifier, columns []Column[T], opts ...Option,
) (*Sink[T], error) {
	if ctx == nil {
		panic("pgsink: New: nil context")
	}
	c, faults := newConfig(opts)
	if pool == nil {
		faults = append(faults, fmt.Errorf("the pool is nil"))
	}
	faults = append(faults, nameFaults(table)...)
	faults = append(faults, columnFaults(columns)...)
	if len(faults) > 0 {
		return nil, configError(faults)
	}
	found, err := lookUp(ctx, pool, table)
	if err != nil {
		return nil, err
	}
	return assemble(pool, found, columns, c)
}

// lookUp asks the server about the table, which must exist.
func lookUp(ctx context.Context, pool *pgxpool.Pool, table pgx.Identifier) (*serverTable, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, failure(ctx, "connect to look at table "+table.Sanitize(), err)
	}
	defer conn.Release()
	found, err := loadTable(ctx, conn.Conn(), table)
	if err != nil {
		err = failure(ctx, "look at table "+table.Sanitize(), err)
		if batcher.IsPermanent(err) { // such as a schema that the user must not see
			err = configError([]error{err})
		}
		return nil, err
	}
	if found == nil {
		return nil, configError([]error{fmt.Errorf("table %s does not exist", table.Sanitize())})
	}
	return found, nil
}

// assemble makes the sink of what was found, or says what does not fit.
func assemble[T any](pool *pgxpool.Pool, t *serverTable, columns []Column[T], c *config) (*Sink[T], error) {
	faults := t.tableFaults(c)
	encoders, found, more := fit(t, columns)
	faults = append(append(faults, more...), t.conflictFaults(c, found)...)
	if len(faults) > 0 {
		return nil, configError(faults)
	}
	s := &Sink[T]{
		pool:        pool,
		table:       t.sql(),
		relation:    t.name,
		encoders:    encoders,
		fields:      len(encoders),
		sql:         newStatements(t, found, c),
		insertBelow: c.insertBelow,
		isolate:     c.isolate,
		counted:     c.conflict == fails && !c.uncounted,
	}
	for _, column := range found {
		s.names = append(s.names, column.name)
	}
	if s.sql.ordinal {
		s.fields++
	}
	if s.sql.staging != "" {
		s.relation = s.sql.staging
	}
	return s, nil
}

// Write writes batch in one transaction and returns nil if the table has taken it. Nil or empty
// batches are written by doing nothing. Write does not keep the slice, nor anything that the items
// point to. It may be called from several goroutines at once, each of which uses one connection of
// the pool, and panics if ctx is nil.
//
// Errors and their marks are those of the package documentation, "What an error means":
//   - a [*batcher.PartialError] if only some of the items failed, each with a [*RowError]: because
//     they could not be encoded, or because the server refused them, see [WithIsolation]. The
//     others were written;
//   - a [*RowError] if the server refused a row and nothing was written;
//   - a [*CountError] if the table took fewer rows than it was given;
//   - an error that wraps the cause of ctx if that ended, and its connection, which pgx closes:
//     the pool makes a new one. The batch may have been written;
//   - anything else is as [Classify] says.
//
// Write costs a constant number of allocations for each batch, most of them those of pgx. An item
// costs none, except what its columns' functions allocate.
func (s *Sink[T]) Write(ctx context.Context, batch []T) error {
	if ctx == nil {
		panic("pgsink: Write: nil context")
	}
	if len(batch) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ended(ctx, "nothing was sent", nil)
	}
	b := s.buffers.get()
	err := s.write(ctx, b, batch)
	s.buffers.put(b)
	return err
}

// write encodes and sends batch. If the server refuses a row and says which, the others are sent
// again without it, up to the bound of WithIsolation: the server has written nothing.
func (s *Sink[T]) write(ctx context.Context, b *buffer, batch []T) error {
	insert := s.insertable(len(batch))
	written, bad, err := s.first(ctx, b, batch, insert)
	for isolated := 0; b.rows > 0; written, err = s.send(ctx, b, insert) {
		if err == nil {
			return s.settle(b.rows, written, len(batch), bad)
		}
		row := s.refusedRow(err, b.rows, insert, bad)
		switch {
		case row != nil && isolated < s.isolate:
			isolated++
			if bad == nil {
				bad = make(map[int]error)
			}
			bad[row.Row] = Classify(row)
			bad = s.encode(b, batch, bad)
		case row == nil && s.isolate > 0 && insert && s.sql.staging == "" && aboutRows(codeOf(err)):
			insert = false // unlike INSERT, COPY says which row it is
		default:
			return s.failed(ctx, row, err)
		}
	}
	return &batcher.PartialError{Errs: bad}
}

// settle judges a batch that the server has taken.
func (s *Sink[T]) settle(sent int, written int64, batch int, bad map[int]error) error {
	if s.counted && written != int64(sent) {
		return miscounted(s.table, sent, written, batch, bad)
	}
	if len(bad) > 0 {
		return &batcher.PartialError{Errs: bad}
	}
	return nil
}

// failed returns the error for a batch of which nothing was written, as far as is known.
func (s *Sink[T]) failed(ctx context.Context, row *RowError, err error) error {
	if row != nil {
		err = row
	}
	return failure(ctx, "write to table "+s.table, err)
}
