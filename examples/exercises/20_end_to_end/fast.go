package end_to_end

// The fast way: the library, and a handler that is made as carefully.

// Fast is the service as it is (examples/ingest/server.go, postgres.go): the body in a recycled buffer,
// a reader for plain JSON, TryAdd without a timer while there is room, the batcher, and sink/pgsink with
// two pools. It tries again, writes nothing twice, keeps what it cannot store, and holds a bounded
// number of events, none of which Plain does.
var Fast = Variant{"fast", []string{"-wait-share", "0"}}

// FastWait is the same service, asked to answer when an event is stored, by every request, as Slow
// does. A 202 is a promise; this is the comparison with what is done. With the default delay of a batch
// the clients, who all wait, would not fill one, so the delay is short.
var FastWait = Variant{"fast-stored", []string{"-wait-share", "1", "-delay", "1ms"}}
