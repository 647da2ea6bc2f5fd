package mapcombiner

// Half of the way: still a new map, but one that need not grow.

// Presized is Slow with a guess: the next batch will have as many keys as the last one. It is for
// sinks that keep the map.
type Presized struct {
	Slow
}

// NewPresized returns an empty combiner.
func NewPresized(sink Sink) *Presized {
	return &Presized{*NewSlow(sink)}
}

// Flush passes on what was counted since the last one. The sink may keep the map.
func (p *Presized) Flush() {
	p.mu.Lock()
	counts := p.counts
	p.counts = make(map[string]int, len(counts))
	p.mu.Unlock()
	if len(counts) > 0 {
		p.sink(counts)
	}
}
