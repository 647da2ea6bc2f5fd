package end_to_end

// What most people write next: batches, in a loop around a channel.

// Plain is the batcher of the textbooks (plain in examples/ingest/baseline.go): a channel of events, a
// ticker, a fresh slice for each batch, pgx.CopyFrom with a []any for each row, a context with a
// timeout and encoding/json in the handler. It is the slow side of most of the other exercises at once.
// And it loses what cannot be stored at the first attempt.
var Plain = Variant{"plain", []string{"-plain", "-wait-share", "0"}}
