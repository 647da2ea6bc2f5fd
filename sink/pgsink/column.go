package pgsink

// Columns: how the parts of an item get into a row. What a column can be written to is decided in
// New, when the type that the server has is known.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Column says which column of the table takes which part of an item. Make it with [Int], [Float],
// [Text], [Bytea], [Bool], [Timestamptz], [Timestamp], [Date], [UUID], [JSON], [JSONValue],
// [TextArray], [IntArray] or [Raw].
//
// The name is that of the column, exactly: it is quoted, so upper and lower case count.
//
// The function receives a pointer into the batch, so that nothing is copied, and must not keep it
// nor change what it points to. It runs on the batcher's worker, once for each item and attempt,
// from several goroutines at once if there are several workers. It should be a plain getter: it
// may be asked more than once for an item, and must answer the same. A panic in it passes through
// Write and leaves nothing behind.
type Column[T any] struct {
	name   string
	kind   string // the function that made it
	wants  string // the types of the server that it can be written to
	bind   func(serverType) encoder[T]
	isNull func(*T) bool
	faults []error
}

// encoder appends the field of an item as the binary format has it: four bytes with the length,
// then the value. If it fails, what it returns is of no use, and the item cannot be written.
type encoder[T any] func(dst []byte, item *T) ([]byte, error)

// NullIf returns the column with NULL in it for items for which isNull returns true; for them, the
// column's function is not called. A time.Time that may be zero needs it, as does every optional
// part:
//
//	pgsink.Timestamptz("ended", func(e *Event) time.Time { return e.Ended }).
//		NullIf(func(e *Event) bool { return e.Ended.IsZero() })
//
// Without it nothing becomes NULL: nil slices are empty values. Given twice, the last one counts.
func (c Column[T]) NullIf(isNull func(*T) bool) Column[T] {
	if isNull == nil {
		c.faults = append(c.faults[:len(c.faults):len(c.faults)],
			fmt.Errorf("column %q: NullIf: the function is nil", c.name))
	}
	c.isNull = isNull
	return c
}

// newColumn makes a column of getter get. encoderFor returns how to append a value to a column of a
// type, nil if it does not fit.
func newColumn[T, V any](
	kind, wants, name string, get func(*T) V, encoderFor func(serverType) func([]byte, V) ([]byte, error),
) Column[T] {
	c := Column[T]{name: name, kind: kind, wants: wants}
	if get == nil {
		c.faults = append(c.faults, fmt.Errorf("column %q: %s: the function is nil", name, kind))
	}
	c.bind = func(t serverType) encoder[T] {
		encode := encoderFor(t)
		if encode == nil {
			return nil
		}
		return func(dst []byte, item *T) ([]byte, error) { return encode(dst, get(item)) }
	}
	return c
}

// encoderFor returns the column's encoder for a column of type t, or what is wrong with it.
func (c *Column[T]) encoderFor(t serverType) (encoder[T], error) {
	encode := c.bind(t)
	switch isNull := c.isNull; {
	case encode == nil:
		return nil, fmt.Errorf("column %q: %s can be written to %s, but the column has type %s",
			c.name, c.kind, c.wants, t.sqlName)
	case isNull != nil:
		return func(dst []byte, item *T) ([]byte, error) {
			if isNull(item) {
				return binary.BigEndian.AppendUint32(dst, null), nil
			}
			return encode(dst, item)
		}, nil
	}
	return encode, nil
}

// null is the length of a field that is NULL.
const null = math.MaxUint32

// Object identifiers of built-in types, which are the same in every server.
const (
	oidBool        = 16
	oidBytea       = 17
	oidName        = 19
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidUUID        = 2950
	oidJSONB       = 3802
)

// Int writes integers to smallint, integer or bigint columns. An item whose value is out of the
// column's range fails alone.
func Int[T any](name string, get func(item *T) int64) Column[T] {
	return newColumn("Int", "smallint, integer or bigint", name, get, intEncoder)
}

func intEncoder(t serverType) func([]byte, int64) ([]byte, error) {
	switch t.oid {
	case oidInt2:
		return appendInt2
	case oidInt4:
		return appendInt4
	case oidInt8:
		return appendInt8
	}
	return nil
}

func appendInt2(dst []byte, v int64) ([]byte, error) {
	if v < math.MinInt16 || v > math.MaxInt16 {
		return nil, fmt.Errorf("%d is out of the range of smallint", v)
	}
	return append(dst, 0, 0, 0, 2, byte(v>>8), byte(v)), nil
}

func appendInt4(dst []byte, v int64) ([]byte, error) {
	if v < math.MinInt32 || v > math.MaxInt32 {
		return nil, fmt.Errorf("%d is out of the range of integer", v)
	}
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(v)), nil
}

func appendInt8(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(v)), nil
}

// Float writes floating-point numbers, NaN and the infinities among them, to real or double
// precision columns. For real they are rounded; an item whose finite value would become infinite
// fails alone.
func Float[T any](name string, get func(item *T) float64) Column[T] {
	return newColumn("Float", "real or double precision", name, get,
		func(t serverType) func([]byte, float64) ([]byte, error) {
			switch t.oid {
			case oidFloat4:
				return appendFloat4
			case oidFloat8:
				return appendFloat8
			}
			return nil
		})
}

func appendFloat4(dst []byte, v float64) ([]byte, error) {
	if math.IsInf(float64(float32(v)), 0) && !math.IsInf(v, 0) {
		return nil, fmt.Errorf("%g is out of the range of real", v)
	}
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), math.Float32bits(float32(v))), nil
}

func appendFloat8(dst []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), math.Float64bits(v)), nil
}

// Bool writes to boolean columns.
func Bool[T any](name string, get func(item *T) bool) Column[T] {
	return newColumn("Bool", "boolean", name, get, only(oidBool, appendBool))
}

func appendBool(dst []byte, v bool) ([]byte, error) {
	if v {
		return append(dst, 0, 0, 0, 1, 1), nil
	}
	return append(dst, 0, 0, 0, 1, 0), nil
}

// Bytea writes to bytea columns. nil is an empty value, not NULL, see [Column.NullIf].
func Bytea[T any](name string, get func(item *T) []byte) Column[T] {
	return newColumn("Bytea", "bytea", name, get, only(oidBytea, appendBytes[[]byte]))
}

// UUID writes to uuid columns. Types such as that of github.com/google/uuid are converted:
//
//	pgsink.UUID("id", func(e *Event) [16]byte { return e.ID })
func UUID[T any](name string, get func(item *T) [16]byte) Column[T] {
	return newColumn("UUID", "uuid", name, get, only(oidUUID, appendUUID))
}

func appendUUID(dst []byte, v [16]byte) ([]byte, error) {
	return append(append(dst, 0, 0, 0, 16), v[:]...), nil
}

// only returns encode for columns of one type.
func only[V any](oid uint32, encode func([]byte, V) ([]byte, error)) func(serverType) func([]byte, V) ([]byte, error) {
	return func(t serverType) func([]byte, V) ([]byte, error) {
		if t.oid != oid {
			return nil
		}
		return encode
	}
}

// maxField is the length in bytes above which the server takes no value: it allocates no more in
// one piece.
const maxField = 1<<30 - 1

var errTooLong = errors.New("longer than 1 GiB, which the server does not take")

func appendBytes[V string | []byte](dst []byte, v V) ([]byte, error) {
	if len(v) > maxField {
		return nil, errTooLong
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...), nil
}

// appendField appends a field whose value a function of the user's appends, after a prefix.
//
// The function gets an empty slice behind what is there already, so that it cannot reach the
// columns and rows before it. What it returns is mostly that slice, grown within its capacity; if
// it had to move, or is a slice of its own, it is copied.
func appendField(dst []byte, prefix string, value func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(dst) + 4
	dst = grown(append(append(dst, 0, 0, 0, 0), prefix...))
	n := len(dst)
	added, err := value(dst[n:n])
	switch free := dst[n:cap(dst)]; {
	case err != nil:
		return nil, err
	case len(prefix)+len(added) > maxField:
		return nil, errTooLong
	case len(added) > 0 && len(added) <= len(free) && &added[0] == &free[0]:
		dst = dst[:n+len(added)]
	default:
		dst = append(dst, added...)
	}
	binary.BigEndian.PutUint32(dst[start-4:], uint32(len(dst)-start))
	return dst, nil
}

// grown returns dst with room for a value of usual size, so that the user's function need not make
// a slice of its own just because dst is nearly full.
func grown(dst []byte) []byte {
	const room = 512
	if cap(dst)-len(dst) >= room {
		return dst
	}
	return append(dst, make([]byte, room)...)[:len(dst)]
}
