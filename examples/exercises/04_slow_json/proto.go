package slow_json

// Protocol Buffers, for both ends under one roof.

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/seed-4c1eaf8a/batcher/examples/exercises/04_slow_json/eventpb"
)

// WriteProto sends the batch as messages with their length in front, the format of package
// protodelim. It is the smallest body. It is not free of reflection: the runtime of protoc-gen-go
// walks tables that it makes of the type, and goes through package reflect for each map, which
// is what it allocates for. A message with a repeated pair of strings in place of the map would not.
//
// One message serves for all items; filling it is part of the cost, since the program's own type is
// another one.
func (s *Sender) WriteProto(ctx context.Context, batch []Event) error {
	buf := newBuffer()
	var message eventpb.Event
	for i := range batch {
		if err := fill(&message, &batch[i]); err != nil {
			buffers.Put(buf)
			return err
		}
		// Size remembers the sizes of the parts, and UseCachedSize relies on that.
		size := proto.Size(&message)
		buf.Grow(protowire.SizeBytes(size))
		to := protowire.AppendVarint(buf.AvailableBuffer(), uint64(size))
		to, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(to, &message)
		if err != nil {
			buffers.Put(buf)
			return err
		}
		buf.Write(to) // it lies there already, so nothing is copied
	}
	return s.postBuffer(ctx, "application/x-protobuf", buf)
}

// fill makes m the message of e. The map is shared, and only read. Nanoseconds in an int64 end in the
// year 2262 and would wrap around without a word, so a time that does not come back is refused.
func fill(m *eventpb.Event, e *Event) error {
	m.UserId, m.Action, m.Metadata = e.UserID, e.Action, e.Metadata
	m.TimeUnixNano = e.Time.UnixNano()
	if !time.Unix(0, m.TimeUnixNano).Equal(e.Time) {
		return fmt.Errorf("the year %d does not fit into nanoseconds since 1970", e.Time.Year())
	}
	return nil
}
