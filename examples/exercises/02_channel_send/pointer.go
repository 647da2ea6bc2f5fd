package channelsend

// The first answer of the exercise: pointers.

// NewPointer starts a batcher for pointers to items. A send copies eight bytes. But the item has
// to be on the heap, so one that is made for the occasion costs an allocation more. And from the
// send on it belongs to the batcher: a producer that goes on writing to it has a data race.
func NewPointer(size int, sink func([]*Item)) *Loop[*Item] { return NewLoop(size, sink) }
