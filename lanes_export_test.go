package batcher

import "context"

// AddToLane is Add by a lane of the caller's choice, for tests that need to know which.
func (b *Batcher[T]) AddToLane(lane int, ctx context.Context, item T) error {
	return b.addTo(&b.lanes.all[lane], ctx, item)
}

// LaneSizes returns how many lanes there are and how much each holds, 0 if there are none.
func (b *Batcher[T]) LaneSizes() (lanes, chunk int) {
	if b.lanes == nil {
		return 0, 0
	}
	return len(b.lanes.all), b.lanes.chunk
}
