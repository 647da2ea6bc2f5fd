package kafkasink

// From items to records: one slab, one copy.

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-4c1eaf8a/batcher"
)

var errNoTopic = errors.New("the record has no topic, and the client no default one")

// records is a batch on its way. It belongs to one Write, and to the client for as long as
// that has any of the records; so it is never used twice.
type records struct {
	slab []kgo.Record  // by the index of the item
	good []*kgo.Record // those of slab that are to be sent, in order
	bad  map[int]error // the others; nil if there are none
}

// encode asks the record function about every item. It does not refer to the items afterwards,
// unless the user has chosen that.
func (s *Sink[T]) encode(items []T) *records {
	rs := &records{slab: make([]kgo.Record, len(items)), good: make([]*kgo.Record, 0, len(items))}
	own := copier{hint: int(s.size.Load())}
	for i := range items {
		r := &rs.slab[i]
		err := s.record(items[i], r)
		if err == nil && r.Topic == "" && !s.hasTopic {
			err = errNoTopic
		}
		if err != nil {
			rs.reject(i, err)
			continue
		}
		if !s.config.withoutCopy {
			own.detach(r)
		}
		rs.good = append(rs.good, r)
	}
	s.size.Store(int64(own.total))
	return rs
}

// reject fails item i alone. Whatever its record refers to is let go of.
func (rs *records) reject(i int, err error) {
	if rs.bad == nil {
		rs.bad = make(map[int]error)
	}
	rs.slab[i] = kgo.Record{}
	rs.bad[i] = batcher.Permanent(fmt.Errorf("kafkasink: record of the item: %w", err))
}

// copier gives records memory of their own. It does so record by record, so that the record
// function may use its buffers again. Batches are mostly alike, so a block of the size that the one
// before needed is mostly the only one; a full block is followed by another, and never moved.
type copier struct {
	hint  int    // the size of the first block
	block []byte // the rest of it is free
	total int    // bytes copied so far
}

// detach replaces all that r refers to by copies.
func (c *copier) detach(r *kgo.Record) {
	r.Key = c.copied(r.Key)
	r.Value = c.copied(r.Value)
	if len(r.Headers) == 0 {
		return
	}
	headers := make([]kgo.RecordHeader, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = kgo.RecordHeader{Key: h.Key, Value: c.copied(h.Value)}
	}
	r.Headers = headers
}

// copied returns a copy of b, with no room behind it. A nil slice stays nil, since a tombstone is not
// an empty value.
func (c *copier) copied(b []byte) []byte {
	if b == nil {
		return nil
	}
	const smallest = 4096
	if len(b) > cap(c.block)-len(c.block) {
		c.block = make([]byte, 0, max(len(b), c.hint-c.total, c.total, smallest))
	}
	from := len(c.block)
	c.block = append(c.block, b...)
	c.total += len(b)
	return c.block[from:len(c.block):len(c.block)]
}
