package end_to_end

// The slow way: no batches.

// Slow is the service as one writes it first (naive in examples/ingest/baseline.go): encoding/json reads
// the body, an INSERT stores the event, and then the request is answered. Each request pays for a
// round trip to the database and a commit of its own, and all of them share the few connections of
// a pool of the default size.
var Slow = Variant{"slow", []string{"-naive", "-wait-share", "0"}}
