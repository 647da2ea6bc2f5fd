package main

// The embedded store: SQLite in one file, without cgo.

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"

	"github.com/seed-4c1eaf8a/batcher"
)

// sqliteStore writes through one connection, since SQLite has one writer at a
// time anyway, and reads through others, so that a health check waits for no batch.
type sqliteStore struct {
	writer *sql.DB // one connection
	reader *sql.DB
	full   *sql.Stmt // inserts rowsPerInsert rows; made on writer
}

// rowsPerInsert is how many rows one INSERT takes. From some tens of rows on,
// more gain nothing, and SQLite bounds the parameters of a statement.
const rowsPerInsert = 100

const schema = `CREATE TABLE IF NOT EXISTS events (
	id        BLOB    NOT NULL PRIMARY KEY, -- 16 bytes, a UUID
	time      INTEGER NOT NULL,             -- microseconds since 1970, UTC
	client_id TEXT    NOT NULL,
	user_id   TEXT    NOT NULL,
	action    TEXT    NOT NULL,
	metadata  TEXT    NOT NULL              -- a JSON object
) WITHOUT ROWID, STRICT`

// openSQLite opens the database file and makes it, and its table, if need be.
func openSQLite(ctx context.Context, path string) (store, error) {
	dsn, err := sqliteDSN(path)
	if err != nil {
		return nil, err
	}
	s := &sqliteStore{}
	if s.writer, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if s.reader, err = sql.Open("sqlite", dsn+"&_query_only=1"); err != nil {
		return nil, errors.Join(err, s.writer.Close())
	}
	s.reader.SetMaxOpenConns(4)
	if err = s.prepare(ctx); err != nil {
		_ = s.Close() // the first error says more
		return nil, err
	}
	return s, nil
}

// sqliteDSN gives SQLite the path as a URI, in which no character of it is
// special. synchronous=FULL makes a commit survive a loss of power: one fsync
// per batch is what a batch is for.
func sqliteDSN(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	slashed := "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/")
	uri := url.URL{Scheme: "file", Path: slashed}
	return uri.String() + "?_error_rc=1&_busy_timeout=2000&_journal_mode=WAL&_synchronous=FULL", nil
}

func (s *sqliteStore) prepare(ctx context.Context) (err error) {
	if _, err = s.writer.ExecContext(ctx, schema); err != nil {
		return err
	}
	s.full, err = s.writer.PrepareContext(ctx, insertSQL(rowsPerInsert))
	return err
}

// insertSQL inserts that many rows and skips those whose id is there already.
func insertSQL(rows int) string {
	const row = "(?,?,?,?,?,?)"
	return "INSERT INTO events (id, time, client_id, user_id, action, metadata) VALUES " +
		row + strings.Repeat(","+row, rows-1) + " ON CONFLICT (id) DO NOTHING"
}

// Write stores the events in one transaction.
func (s *sqliteStore) Write(ctx context.Context, events []Event) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // without effect after Commit
	if err := s.insert(ctx, tx, events); err != nil {
		return classify(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// insert uses the prepared statement as often as it is full, then one of the rest's size.
func (s *sqliteStore) insert(ctx context.Context, tx *sql.Tx, events []Event) error {
	args := make([]any, 0, min(len(events), rowsPerInsert)*6)
	full := tx.StmtContext(ctx, s.full)
	for len(events) > 0 {
		rows := events[:min(len(events), rowsPerInsert)]
		events = events[len(rows):]
		args = args[:0]
		for i := range rows {
			var err error
			if args, err = appendRow(args, &rows[i]); err != nil {
				return batcher.Permanent(err)
			}
		}
		var err error
		if len(rows) == rowsPerInsert {
			_, err = full.ExecContext(ctx, args...)
		} else {
			_, err = tx.ExecContext(ctx, insertSQL(len(rows)), args...)
		}
		if err != nil {
			return fmt.Errorf("insert %d rows: %w", len(rows), err)
		}
	}
	return nil
}

// appendRow adds the columns of one event in the order of insertSQL.
func appendRow(args []any, e *Event) ([]any, error) {
	metadata := []byte("{}")
	if len(e.Metadata) > 0 {
		var err error
		if metadata, err = json.Marshal(e.Metadata); err != nil {
			return args, fmt.Errorf("metadata: %w", err)
		}
	}
	return append(args, e.ID[:], e.Time.UnixMicro(), e.ClientID, e.UserID, e.Action,
		string(metadata)), nil
}

// classify marks errors that the same rows would cause again, by the primary
// result code of SQLite. A full disk, a locked file or an I/O error may pass.
func classify(err error) error {
	const tooBig, constraint, mismatch = 18, 19, 20
	var failure *sqlite.Error
	if errors.As(err, &failure) {
		switch failure.Code() & 0xff {
		case tooBig, constraint, mismatch:
			return batcher.Permanent(err)
		}
	}
	return err
}

// Check reads through a connection that no batch uses.
func (s *sqliteStore) Check(ctx context.Context) error {
	return checked(s.reader.QueryRowContext(ctx, checkSQL))
}

// ClientIDs reads the table once.
func (s *sqliteStore) ClientIDs(ctx context.Context, visit func(id string)) error {
	rows, err := s.reader.QueryContext(ctx, idsSQL)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer rows.Close()
	return visitIDs(rows, visit)
}

// Close closes the readers first, so that the last connection, the writer's,
// can fold the write-ahead log into the file.
func (s *sqliteStore) Close() error {
	return errors.Join(s.reader.Close(), s.writer.Close())
}
