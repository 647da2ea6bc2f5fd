package pgsink

// Arrays of one dimension.

import "encoding/binary"

// TextArray writes to arrays of text, varchar, char, name, citext or an enum, as [Text] writes
// single values: an element that cannot be written fails the item. nil is an empty array, not NULL,
// see [Column.NullIf]. Elements cannot be NULL.
func TextArray[T any](name string, get func(item *T) []string) Column[T] {
	return newColumn("TextArray", "an array of text, varchar, char, name, citext or an enum", name, get,
		arrayOf(textEncoder))
}

// IntArray writes to arrays of smallint, integer or bigint. An element that is out of range fails
// the item. nil is an empty array, not NULL, see [Column.NullIf]. Elements cannot be NULL.
func IntArray[T any](name string, get func(item *T) []int64) Column[T] {
	return newColumn("IntArray", "an array of smallint, integer or bigint", name, get,
		arrayOf(intEncoder))
}

// arrayOf makes of the encoders of an element's type those of arrays.
func arrayOf[V any](
	elementEncoder func(serverType) func([]byte, V) ([]byte, error),
) func(serverType) func([]byte, []V) ([]byte, error) {
	return func(t serverType) func([]byte, []V) ([]byte, error) {
		if t.element == nil {
			return nil
		}
		encode := elementEncoder(*t.element)
		if encode == nil {
			return nil
		}
		oid := t.element.oid
		return func(dst []byte, values []V) ([]byte, error) { return appendArray(dst, oid, values, encode) }
	}
}

// appendArray appends the number of dimensions, whether there are NULLs, the type of the elements,
// for the one dimension its length and lower bound, and the elements, each with its length. An
// empty array has no dimension.
func appendArray[V any](
	dst []byte, oid uint32, values []V, encode func([]byte, V) ([]byte, error),
) ([]byte, error) {
	start := len(dst) + 4
	dimensions := uint32(min(len(values), 1))
	dst = binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 0), dimensions)
	dst = binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 0), oid)
	if dimensions > 0 {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(values)))
		dst = append(dst, 0, 0, 0, 1)
	}
	for _, v := range values {
		var err error
		if dst, err = encode(dst, v); err != nil {
			return nil, err
		}
	}
	if len(dst)-start > maxField {
		return nil, errTooLong
	}
	binary.BigEndian.PutUint32(dst[start-4:], uint32(len(dst)-start))
	return dst, nil
}
