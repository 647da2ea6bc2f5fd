package httpsink

// Encoding: from a batch to the bytes of a body. An item is encoded into plain, behind those before
// it; with a compression, plain is handed over whenever there is a good piece of it, so that it
// stays small and in the cache. What fails is cut off again, so the others are not affected.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-4c1eaf8a/batcher"
)

// framing is what surrounds the items of a body.
type framing struct{ prefix, separator, suffix string }

var (
	ndjson    = framing{separator: "\n", suffix: "\n"}
	jsonArray = framing{prefix: "[", separator: ",", suffix: "]"}
)

// encoding turns batches into bodies. It is safe for concurrent use.
type encoding[T any] struct {
	item        func(dst []byte, item T) ([]byte, error) // nil: encoding/json
	framing     framing
	contentType string
	json        bool // items are JSON values, so a line feed at the end is no part of one
	lines       bool // an item must not have a line feed in it
	compression compression

	desks *sync.Pool // of *desk
}

// newEncoding returns what c asks for, and what is wrong with it.
func newEncoding[T any](c *config) (enc encoding[T], faults []error) {
	note := func(fault error) {
		if fault != nil {
			faults = append(faults, fault)
		}
	}
	type encoder = func(dst []byte, item T) ([]byte, error)
	raw, fault := typed[encoder]("WithEncoder", c.rawItem)
	note(fault)
	item, fault := typed[encoder]("WithJSONEncoder", c.jsonItem)
	note(fault)
	switch {
	case c.rawItem != nil:
		enc = encoding[T]{item: raw, framing: c.framing, contentType: c.contentType}
	case c.array:
		enc = encoding[T]{item: item, framing: jsonArray, contentType: "application/json", json: true}
	default:
		enc = encoding[T]{item: item, framing: ndjson, contentType: "application/x-ndjson", json: true, lines: true}
	}
	enc.compression = c.compression()
	enc.desks = new(sync.Pool)
	return enc, faults
}

// desk is what one encoding run works with. It is put away between runs, without a body. It is one
// object, because its parts point at one another, and so that a run takes one from a pool and not
// three.
type desk struct {
	body *body // the result

	// With a compression, plain is what it has not seen yet. Without, plain is body, and no more
	// than another name for it.
	plain *body
	zip   compressor // nil without a compression

	json *json.Encoder // writes to plain
}

// Write appends what the JSON encoder has made.
func (d *desk) Write(p []byte) (int, error) {
	d.plain.data = append(d.plain.data, p...)
	return len(p), nil
}

// zipped is the end of the desk that the compression writes to. It leads to the desk and not to
// the body, so that a compressor that is put away holds no body.
type zipped struct{ d *desk }

func (z zipped) Write(p []byte) (int, error) {
	z.d.body.data = append(z.d.body.data, p...)
	return len(p), nil
}

// spillAt is the size in bytes at which the compression gets what has been encoded: enough to make
// the calls rare, and little enough to stay in the processor's cache.
const spillAt = 32 << 10

// encoded is a batch that is ready to be sent.
type encoded struct {
	body *body
	size int           // of the batch
	sent int           // how many of its items are in the body
	bad  map[int]error // the others, by index; nil if there are none
}

// encode encodes batch into a body from the pool. If an encoder panics, the desk and the body are
// left to the garbage collector, since nobody knows their state.
func (enc *encoding[T]) encode(batch []T, bodies *bodyPool) (encoded, error) {
	e := encoded{size: len(batch)}
	d := enc.deskFor(bodies)
	d.plain.data = append(d.plain.data, enc.framing.prefix...)
	for i := range batch {
		if err := enc.add(d, &batch[i], e.sent == 0); err != nil {
			e.reject(i, err)
			continue
		}
		e.sent++
		if err := d.spill(spillAt); err != nil {
			return e, err
		}
	}
	d.plain.data = append(d.plain.data, enc.framing.suffix...)
	err := d.finish()
	e.body, d.body = d.body, nil
	enc.putAway(d)
	if e.sent == 0 {
		bodies.put(e.body)
		e.body = nil
	}
	return e, err
}

// reject notes that the item with the index i cannot be encoded.
func (e *encoded) reject(i int, err error) {
	if e.bad == nil {
		e.bad = make(map[int]error)
	}
	e.bad[i] = batcher.Permanent(fmt.Errorf("httpsink: item %d cannot be encoded: %w", i, err))
}

// deskFor returns a desk with an empty body on it.
func (enc *encoding[T]) deskFor(bodies *bodyPool) *desk {
	d, ok := enc.desks.Get().(*desk)
	if !ok {
		d = new(desk)
		d.json = json.NewEncoder(d)
		d.json.SetEscapeHTML(false) // the escapes are for pages, and longer
		if enc.compression.make != nil {
			d.plain = new(body)
			d.zip = enc.compression.make()
		}
	}
	d.body = bodies.get()
	if d.zip == nil {
		d.plain = d.body
	} else {
		d.zip.Reset(zipped{d})
	}
	return d
}

// putAway takes ownership of d, from which the body has been taken.
func (enc *encoding[T]) putAway(d *desk) {
	if d.zip == nil {
		d.plain = nil
	} else if d.plain.data = d.plain.data[:0]; cap(d.plain.data) > 4*spillAt {
		d.plain.data = nil // there was an item of that size
	}
	enc.desks.Put(d)
}

// spill gives the compression what is there, if it is min bytes at least.
func (d *desk) spill(min int) error {
	if d.zip == nil || len(d.plain.data) < min {
		return nil
	}
	_, err := d.zip.Write(d.plain.data)
	d.plain.data = d.plain.data[:0]
	if err != nil {
		return fmt.Errorf("httpsink: compressing: %w", err)
	}
	return nil
}

// finish ends the compression.
func (d *desk) finish() error {
	if d.zip == nil {
		return nil
	}
	if err := d.spill(0); err != nil {
		return err
	}
	if err := d.zip.Close(); err != nil {
		return fmt.Errorf("httpsink: compressing: %w", err)
	}
	return nil
}

// add appends an item, with a separator before it if it is not the first. If it returns an error,
// nothing was appended: the separator and what the encoder has left behind are cut off. That
// works with a compression too, which is fed between items only.
func (enc *encoding[T]) add(d *desk, item *T, first bool) error {
	before := len(d.plain.data)
	if !first {
		d.plain.data = append(d.plain.data, enc.framing.separator...)
	}
	from := len(d.plain.data)
	err := enc.appendItem(d, item)
	if err == nil {
		err = enc.check(d.plain, from)
	}
	if err != nil {
		d.plain.data = d.plain.data[:before]
	}
	return err
}

// roomForItem is the free capacity in bytes that an encoder finds at least. One that needs more
// appends into memory of its own, which is then copied.
const roomForItem = 512

// appendItem appends the bytes of an item. The pointer is for encoding/json, which would otherwise
// allocate a copy of each.
//
// An encoder of the user's gets the free capacity only, as an empty slice, and never the bytes
// before it. So it cannot spoil them by a slip, and what it returns may be a slice of its own as
// well.
func (enc *encoding[T]) appendItem(d *desk, item *T) error {
	if enc.item == nil {
		return d.json.Encode(item)
	}
	d.plain.data = slices.Grow(d.plain.data, roomForItem)
	free := d.plain.data[len(d.plain.data):]
	added, err := enc.item(free, *item)
	if err != nil {
		return err
	}
	d.plain.take(added)
	return nil
}

var (
	errNothing  = errors.New("the encoder appended nothing")
	errLineFeed = errors.New("the encoder appended a line feed, which ends an item of NDJSON")
)

// check looks at the item that begins at from, and cuts the line feed at its end. It does not
// parse: that would cost more than the encoding. It looks for what would go unnoticed, an item that
// is not sent at all, and for what would harm the others, a line that ends early.
func (enc *encoding[T]) check(b *body, from int) error {
	item := b.data[from:]
	if enc.json {
		item = bytes.TrimSuffix(item, []byte{'\n'})
		b.data = b.data[:from+len(item)]
	}
	switch {
	case len(item) == 0:
		return errNothing
	case enc.lines && bytes.IndexByte(item, '\n') >= 0:
		return errLineFeed
	}
	return nil
}
