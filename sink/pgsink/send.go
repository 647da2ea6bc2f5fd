package pgsink

// Sending: one round trip for each batch.

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// binaryFormat is the format of all parameters.
var binaryFormat = []int16{1}

// insertable reports whether so many rows are written with INSERT.
func (s *Sink[T]) insertable(rows int) bool {
	return rows < s.insertBelow && rows*s.sql.columns <= maxParameters
}

// send writes b and returns how many rows the server has written.
func (s *Sink[T]) send(ctx context.Context, b *buffer, insert bool) (written int64, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	pg := conn.Conn().PgConn()
	switch {
	case insert:
		return s.insert(ctx, pg, b)
	case s.sql.staging != "":
		return s.stage(ctx, pg, b)
	}
	return copyFrom(ctx, pg, b, s.sql.copy)
}

// insert writes b with one INSERT. The statement has no name, so nothing of it stays in the session.
func (s *Sink[T]) insert(ctx context.Context, pg *pgconn.PgConn, b *buffer) (int64, error) {
	b.parameters(s.sql.types)
	tag, err := pg.ExecParams(ctx, s.sql.insert(b.rows), b.params, b.types, binaryFormat, nil).Close()
	return tag.RowsAffected(), err
}

// staged is the key of pgconn's CustomData under which a connection remembers its staging tables.
const staged = "github.com/seed-4c1eaf8a/batcher/sink/pgsink"

// stage copies b into the staging table and from there into the table. The statements are sent as
// one, which makes them one transaction and one round trip.
//
// The staging table is made by the first of them, once for each connection. It may be gone after
// all: DISCARD ALL drops it, and behind a proxy such as PgBouncer, which gives each transaction any
// of its connections to the server, this one may never have had it. Then the server says 42P01
// (undefined table), has written nothing, and the batch is sent again with the statement that makes
// the table, which belongs to the same transaction and so cannot miss.
func (s *Sink[T]) stage(ctx context.Context, pg *pgconn.PgConn, b *buffer) (int64, error) {
	tables, _ := pg.CustomData()[staged].(map[string]bool)
	if tables[s.sql.staging] {
		written, err := copyFrom(ctx, pg, b, s.sql.copy)
		if codeOf(err) != undefinedTable {
			return written, err
		}
		delete(tables, s.sql.staging)
	}
	written, err := copyFrom(ctx, pg, b, s.sql.create+s.sql.copy)
	if err == nil {
		if tables == nil {
			tables = make(map[string]bool)
			pg.CustomData()[staged] = tables
		}
		tables[s.sql.staging] = true
	}
	return written, err
}

const undefinedTable = "42P01"

// codeOf returns the SQLSTATE of an error of the server, "" of any other.
func codeOf(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// copyFrom sends b with statements one of which is a COPY FROM STDIN. It returns the number of rows
// that the last of them has written.
func copyFrom(ctx context.Context, pg *pgconn.PgConn, b *buffer, sql string) (int64, error) {
	source := &stream{flow: &b.flow}
	defer source.detach()
	tag, err := pg.CopyFrom(ctx, source, sql)
	return tag.RowsAffected(), err
}
