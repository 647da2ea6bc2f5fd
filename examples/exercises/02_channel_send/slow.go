// Package channelsend is exercise 2: what it costs to hand an item over.
package channelsend

// The slow side: a large struct with a map, by value, through a channel.

import "time"

// Item is an item of 64 bytes, and a map.
//
// The send copies the 64 bytes into the channel, and the receive copies them out, each under the
// lock of the channel; then an append copies them again. But the map is what costs more: to make
// it takes allocations, and the garbage collector looks into each of the items held.
type Item struct {
	User     string
	Action   string
	Time     time.Time
	Metadata map[string]string
}

// NewItem makes an item with two entries of metadata.
func NewItem(user, action string, now time.Time, address, agent string) Item {
	return Item{user, action, now, map[string]string{"address": address, "agent": agent}}
}

// bytes is what a sink does to see all of an item: it adds up the lengths of the texts.
func (i *Item) bytes() int {
	return len(i.User) + len(i.Action) + len(i.Metadata["address"]) + len(i.Metadata["agent"])
}

// queueSize is how many items may wait in a channel.
const queueSize = 1000

// Loop is a batcher with a channel, for items of type T. Slow is one of Item.
type Loop[T any] struct {
	in   chan T        // the producers send; Close closes
	done chan struct{} // closed by run when it ends
}

// NewLoop starts a batcher for batches of size items. The sink must not keep the slice.
func NewLoop[T any](size int, sink func(batch []T)) *Loop[T] {
	l := &Loop[T]{make(chan T, queueSize), make(chan struct{})}
	go l.run(size, sink)
	return l
}

// NewSlow starts a batcher for items by value.
func NewSlow(size int, sink func([]Item)) *Loop[Item] { return NewLoop(size, sink) }

// Add adds an item. It must not be called after Close.
func (l *Loop[T]) Add(item T) { l.in <- item }

// Close passes on what is left and ends the batcher.
func (l *Loop[T]) Close() error {
	close(l.in)
	<-l.done
	return nil
}

func (l *Loop[T]) run(size int, sink func([]T)) {
	defer close(l.done)
	buf := make([]T, 0, size)
	flush := func() {
		if len(buf) > 0 {
			sink(buf)
		}
		clear(buf) // what the items point to shall not live as long as the buffer
		buf = buf[:0]
	}
	for item := range l.in {
		if buf = append(buf, item); len(buf) == size {
			flush()
		}
	}
	flush()
}
