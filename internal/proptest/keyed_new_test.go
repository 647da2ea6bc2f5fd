package proptest

func newFront(w *keyedWorld) (frontEnd, error) { return newShardedFront(w) }
