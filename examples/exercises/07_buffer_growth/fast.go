package buffergrowth

// The fast side: a bound that follows what is usual.

// Fast is a buffer that is let go when it is more than twice as large as what has been usual
// lately: a maximum of the recent batches that rises at once and falls by an eighth of the
// difference with each smaller batch. Batches that alternate keep their buffer, and one that was
// rare loses it after some. It is the rule of the library (pool.go, note and worthKeeping).
type Fast struct {
	recent int // a slowly falling maximum of the sizes of recent batches
	Slow
}

// NewFast returns an empty buffer, with room for a usual batch.
func NewFast(usual int, sink Sink) *Fast { return &Fast{usual, *NewSlow(usual, sink)} }

// Flush passes on what there is, if anything.
func (f *Fast) Flush() {
	n := len(f.items)
	f.Slow.Flush()
	if f.recent = max(n, f.recent-(f.recent-n+7)/8); cap(f.items) > 2*f.recent {
		f.items = make([]int, 0, f.recent)
	}
}
