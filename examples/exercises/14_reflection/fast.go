package reflection

// The fast side: the same batcher, with a type parameter.

// Fast takes items of one type. It is Slow with T for interface{}: nothing is boxed, the items lie
// side by side in the channel and in the batch, and an item of a wrong type does not compile.
// The library's front ends are generic in this way (batcher.go).
type Fast[T any] struct {
	in   chan T
	done chan error // gets what run returns; capacity 1, so that run can end before Close asks
}

// NewFast starts a batcher for batches of size items. The sink must not keep the slice. After
// its first error, it is not called any more.
func NewFast[T any](size int, sink func(batch []T) error) *Fast[T] {
	f := &Fast[T]{in: make(chan T, queueSize), done: make(chan error, 1)}
	go func() { f.done <- f.run(size, sink) }()
	return f
}

// Add adds an item. It must not be called after Close.
func (f *Fast[T]) Add(item T) { f.in <- item }

// Close passes on what is left, ends the batcher and returns the sink's error.
func (f *Fast[T]) Close() error {
	close(f.in)
	return <-f.done
}

func (f *Fast[T]) run(size int, sink func([]T) error) (failure error) {
	buf := make([]T, 0, size)
	flush := func() {
		if len(buf) > 0 && failure == nil {
			failure = sink(buf)
		}
		clear(buf) // what the items point to shall not live as long as the buffer
		buf = buf[:0]
	}
	for item := range f.in {
		if buf = append(buf, item); len(buf) == size {
			flush()
		}
	}
	flush()
	return failure
}
