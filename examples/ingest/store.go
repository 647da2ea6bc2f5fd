package main

// What the service needs of a database.

import (
	"context"
	"fmt"
)

// store keeps events. All methods may be called from several goroutines at once.
//
// Another database needs this interface and a place in [app.openStore], nothing else.
type store interface {
	// Write stores a batch; it is the flush function. It stores all events or
	// none, and ignores an event whose ID is stored already: the batcher
	// calls it again after an error, and an error does not mean that
	// nothing was written.
	Write(ctx context.Context, events []Event) error

	// Check reports whether the store answers. It must not queue behind Write.
	Check(ctx context.Context) error

	// ClientIDs calls visit with the ClientID of every stored event, in no
	// particular order.
	ClientIDs(ctx context.Context, visit func(id string)) error

	// Close lets go of everything. Nothing is called after it.
	Close() error
}

// What all stores are asked.
const (
	checkSQL = "SELECT count(*) FROM (SELECT 1 FROM events LIMIT 1) AS first"
	idsSQL   = "SELECT client_id FROM events"
)

// checked reads the answer to checkSQL.
func checked(row interface{ Scan(dest ...any) error }) error {
	var n int
	if err := row.Scan(&n); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}

// visitIDs reads the answer to idsSQL, which the caller closes.
func visitIDs(rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}, visit func(id string)) error {
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		visit(id)
	}
	return rows.Err()
}

// tally counts the stored events by ClientID.
func tally(ctx context.Context, s store) (map[string]int, error) {
	counts := make(map[string]int)
	err := s.ClientIDs(ctx, func(id string) { counts[id]++ })
	return counts, err
}
