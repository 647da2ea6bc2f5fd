package mapcombiner

// The fast side without its last line of defence: the maps are kept for ever.

// Hoard is Fast with maps that are never let go.
type Hoard struct {
	Fast
}

// NewHoard returns an empty combiner.
func NewHoard(sink Sink) *Hoard {
	h := new(Hoard)
	h.sink = sink
	h.spare, h.full = newTable(0), newTable(0)
	return h
}

// Flush passes on what was counted since the last one. The sink must not keep the map.
func (h *Hoard) Flush() {
	h.flushing.Lock()
	defer h.flushing.Unlock()
	h.mu.Lock()
	out := h.full
	h.full = h.spare
	h.mu.Unlock()
	if len(out.counts) > 0 {
		h.sink(out.counts)
	}
	clear(out.counts)
	h.spare = out
}
