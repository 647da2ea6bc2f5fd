package pgsink

// What the tests of the outside see of the inside.

// Encode returns the stream of a batch, all of which can be encoded.
func Encode[T any](s *Sink[T], batch []T) []byte {
	b := s.buffers.get()
	if bad := s.encode(b, batch, nil); bad != nil {
		panic("cannot be encoded")
	}
	return b.data
}
