package mapcombiner

// The fast side: two maps in turn, one for Add and one for the sink.

import "sync"

// Fast has two maps, of which one fills while the sink reads the other. A Combiner of the library
// does the same (tally.go and combined.go): it keeps the counts in shards, and lends the sink
// a map from a pool, so that there may be as many at the sink as there are workers.
type Fast struct {
	sink Sink

	flushing sync.Mutex // held for the whole of a flush; guards spare; taken before mu
	spare    table      // empty

	mu   sync.Mutex // guards full; never held in the sink
	full table
}

// table is a map that remembers how large it has become.
type table struct {
	counts map[string]int
	most   int // keys that it had at most: its memory is for so many
}

// NewFast returns an empty combiner.
func NewFast(sink Sink) *Fast {
	return &Fast{sink: sink, spare: newTable(0), full: newTable(0)}
}

func newTable(size int) table {
	return table{counts: make(map[string]int, size)}
}

// Add counts key once more.
func (f *Fast) Add(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full.counts[key]++
}

// Flush passes on what was counted since the last one. The sink must not keep the map: it is
// cleared after the return, and filled by others after that.
func (f *Fast) Flush() {
	f.flushing.Lock()
	defer f.flushing.Unlock()
	f.mu.Lock()
	out := f.full
	f.full = f.spare
	f.mu.Unlock()
	if len(out.counts) > 0 {
		f.sink(out.counts)
	}
	f.spare = out.reused()
}

// A map with fewer keys than a shrinkAt-th of what it once had is not kept, unless it is small.
const (
	shrinkAt = 8
	small    = 256
)

// reused returns the table empty.
//
// The trap is here. A map never shrinks, and clear has to walk all of its memory, not only what
// is filled. One batch with a million keys, and each of the small ones that follow pays for
// the million. So a map that has become far too large is let go.
func (t table) reused() table {
	n := len(t.counts)
	t.most = max(t.most, n)
	if t.most > small && n < t.most/shrinkAt {
		return newTable(n)
	}
	clear(t.counts)
	return t
}
