// Package copy_from is exercise 11: what a batch costs on its way into PostgreSQL's COPY, before a single
// byte has left the program.
package copy_from

// The items and their table, which all ways share.

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Event is what is stored.
type Event struct {
	UserID string
	Action string
	Time   time.Time // PostgreSQL keeps microseconds
}

// Schema makes the table.
const Schema = "CREATE TABLE events (user_id text NOT NULL, action text NOT NULL, time timestamptz NOT NULL)"

var (
	table   = pgx.Identifier{"events"}
	columns = []string{"user_id", "action", "time"}
)

// Store writes batches. Its methods Write... are flush functions, one for each way; the one of the
// library is in fast.go. It is safe for concurrent use.
type Store struct{ pool *pgxpool.Pool }

// NewStore returns a store. The pool stays the caller's.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool} }
