// Package reflection is exercise 14: a batcher for items of any type, by way of interface{}.
package reflection

// The slow side: what goes through the channel is an interface.

import "errors"

// Event is an item of 64 bytes.
type Event struct {
	User   string
	Action string
	Nanos  int64
	Values [3]int64
}

// ErrType is what a sink returns for an item of another type than it expects.
var ErrType = errors.New("an item of the wrong type")

// queueSize is how many items may wait in the channel, of all variants.
const queueSize = 1000

// Slow takes items of any type.
//
// Whoever adds an item that is not a pointer has it boxed: an interface holds a pointer, so the
// value is copied to the heap first. That is an allocation for each item, and one more object for
// the garbage collector to look at. (Not for integers below 256, which the runtime
// keeps ready.) The compiler no longer knows the type, so a wrong one is found
// out by the sink, when the batch is there, and not by whoever has written Add.
type Slow struct {
	in   chan interface{}
	done chan error // gets what run returns; capacity 1, so that run can end before Close asks
}

// NewSlow starts a batcher for batches of size items. The sink must not keep the slice. After
// its first error, it is not called any more.
func NewSlow(size int, sink func(batch []interface{}) error) *Slow {
	s := &Slow{in: make(chan interface{}, queueSize), done: make(chan error, 1)}
	go func() { s.done <- s.run(size, sink) }()
	return s
}

// Add adds an item. It must not be called after Close.
func (s *Slow) Add(item interface{}) { s.in <- item }

// Close passes on what is left, ends the batcher and returns the sink's error.
func (s *Slow) Close() error {
	close(s.in)
	return <-s.done
}

func (s *Slow) run(size int, sink func([]interface{}) error) (failure error) {
	buf := make([]interface{}, 0, size)
	flush := func() {
		if len(buf) > 0 && failure == nil {
			failure = sink(buf)
		}
		clear(buf) // what the items point to shall not live as long as the buffer
		buf = buf[:0]
	}
	for item := range s.in {
		if buf = append(buf, item); len(buf) == size {
			flush()
		}
	}
	flush()
	return failure
}

// Typed makes a sink for a Slow of one for items of type T: it asserts the type of every item, and
// copies them.
func Typed[T any](sink func(batch []T) error) func([]interface{}) error {
	var typed []T
	return func(batch []interface{}) error {
		typed = typed[:0]
		for _, item := range batch {
			t, ok := item.(T)
			if !ok {
				return ErrType
			}
			typed = append(typed, t)
		}
		return sink(typed)
	}
}
