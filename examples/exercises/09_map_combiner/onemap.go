package mapcombiner

// The obvious reuse: one map, cleared after each batch.

// OneMap has a single map. Nothing is allocated, but the map cannot be read by the sink and written
// by Add at once, so the lock is held while the sink works: every Add waits for it.
type OneMap struct {
	Slow
}

// NewOneMap returns an empty combiner.
func NewOneMap(sink Sink) *OneMap {
	return &OneMap{*NewSlow(sink)}
}

// Flush passes on what was counted since the last one. The sink must not keep the map, nor
// call Add.
//
// Deleting the keys in a loop is the same: the compiler turns a loop that does nothing else
// into clear. A loop that does more is slower, and leaves keys like NaN behind, which equal
// nothing and so cannot be named in a delete.
func (o *OneMap) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.counts) > 0 {
		o.sink(o.counts)
	}
	clear(o.counts)
}
