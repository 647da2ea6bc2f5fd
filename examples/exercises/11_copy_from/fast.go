package copy_from

// The fast way: package sink/pgsink, which makes the binary stream itself.

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// NewFast returns a sink whose Write is the flush function. The columns have types, so that no value goes
// through an interface: each appends its bytes to one pooled buffer (sink/pgsink/column.go, text.go,
// times.go), which is sent while it is still being filled (pipe.go). A value that PostgreSQL cannot
// hold fails alone (rows.go).
func NewFast(ctx context.Context, pool *pgxpool.Pool) (*pgsink.Sink[Event], error) {
	return pgsink.New(ctx, pool, table, []pgsink.Column[Event]{
		pgsink.Text("user_id", func(e *Event) string { return e.UserID }),
		pgsink.Text("action", func(e *Event) string { return e.Action }),
		pgsink.Timestamptz("time", func(e *Event) time.Time { return e.Time }),
	})
}
