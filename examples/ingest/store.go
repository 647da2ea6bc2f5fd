package main

// What the service needs of a database.

import "context"

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

// tally counts the stored events by ClientID.
func tally(ctx context.Context, s store) (map[string]int, error) {
	counts := make(map[string]int)
	err := s.ClientIDs(ctx, func(id string) { counts[id]++ })
	return counts, err
}
