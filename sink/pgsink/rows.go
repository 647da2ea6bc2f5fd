package pgsink

// Rows: a batch in the binary format of COPY, and the buffers that it is encoded into.

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"

	"github.com/seed-4c1eaf8a/batcher"
)

// header begins a binary COPY: the signature, no flags, no extension.
const header = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// trailer ends it: a row of -1 fields.
const trailer = "\xff\xff"

// buffer holds an encoded batch. It belongs to one Write at a time.
type buffer struct {
	data   []byte
	rows   int
	flow   flow     // as much of data as may be sent
	params [][]byte // the fields of data, once an INSERT has asked for them
	types  []uint32 // of params
}

// buffers recycles the buffers of one sink: what is in them goes when the sink goes, and the
// garbage collector empties it when the sink is idle.
type buffers struct {
	pool  sync.Pool    // of *buffer
	usual atomic.Int64 // a moving average of the sizes of batches, in bytes
}

// smallBuffer is the size in bytes up to which a buffer is always kept.
const smallBuffer = 64 << 10

// get returns a buffer, which the caller owns.
func (p *buffers) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	b := new(buffer)
	b.flow.more.L = &b.flow.mu
	return b
}

// put takes ownership of b, and keeps it unless it is far larger than what is usual: one rare large
// batch must not pin its memory. Concurrent calls may lose one another's share in the average,
// which does no harm.
func (p *buffers) put(b *buffer) {
	usual := p.usual.Load()
	p.usual.Store(usual + (int64(len(b.data))-usual)/8)
	if p.keeps(b) {
		b.flow.reset()
		clear(b.params)
		p.pool.Put(b)
	}
}

func (p *buffers) keeps(b *buffer) bool {
	size := cap(b.data)
	return size <= smallBuffer || int64(size) <= 4*p.usual.Load()
}

// encode writes the rows of batch into b, except those of bad, and adds to bad what could not be
// encoded.
func (s *Sink[T]) encode(b *buffer, batch []T, bad map[int]error) map[int]error {
	b.begin()
	_, bad = s.encodeFrom(0, b, batch, math.MaxInt, bad)
	b.finish()
	return bad
}

// begin starts a stream without rows.
func (b *buffer) begin() {
	b.flow.reset()
	b.rows = 0
	b.data = append(b.data[:0], header...)
}

// finish ends the stream, which may now be sent as a whole.
func (b *buffer) finish() {
	b.data = append(b.data, trailer...)
	b.flow.publish(b.data, true)
}

// encodeFrom goes on with item i of batch, until b holds so many bytes, or the batch is at its end. It
// returns the next item. A row that fails half-way is taken back.
func (s *Sink[T]) encodeFrom(
	i int, b *buffer, batch []T, until int, bad map[int]error,
) (next int, _ map[int]error) {
	for ; i < len(batch) && len(b.data) < until; i++ {
		if bad[i] != nil {
			continue
		}
		data, column, err := s.appendRow(b.data, &batch[i], b.rows)
		if err != nil {
			if bad == nil {
				bad = make(map[int]error)
			}
			bad[i] = batcher.Permanent(&RowError{Row: i, Column: s.names[column], Err: err})
			continue
		}
		b.data = data
		b.rows++
	}
	return i, bad
}

// appendRow appends the number of fields and the fields. number is that of the row in the stream.
func (s *Sink[T]) appendRow(dst []byte, item *T, number int) (data []byte, column int, err error) {
	dst = binary.BigEndian.AppendUint16(dst, uint16(s.fields))
	for column, encode := range s.encoders {
		if dst, err = encode(dst, item); err != nil {
			return nil, column, err
		}
	}
	if s.sql.ordinal {
		dst = binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(number))
	}
	return dst, 0, nil
}

// parameters takes the fields of the encoded rows for an INSERT: of each row so many, and their
// types.
func (b *buffer) parameters(types []uint32) {
	b.params, b.types = b.params[:0], b.types[:0]
	data := b.data[len(header):]
	for range b.rows {
		fields := int(binary.BigEndian.Uint16(data))
		data = data[2:]
		for i := range fields {
			var value []byte
			value, data = cutField(data)
			if i < len(types) { // the number of the row is not a parameter
				b.params = append(b.params, value)
			}
		}
		b.types = append(b.types, types...)
	}
}

// cutField returns the first field, nil if it is NULL, and the rest.
func cutField(data []byte) (value, rest []byte) {
	n := binary.BigEndian.Uint32(data)
	data = data[4:]
	if n == null {
		return nil, data
	}
	return data[:n:n], data[n:]
}
