package slow_json

// Generated code: what easyjson makes of the type, in event_easyjson.go.

import (
	"context"

	"github.com/mailru/easyjson/jwriter"
)

// WriteEasyJSON sends the batch as a JSON array. The generated method writes field by field without
// reflection, into chunks that easyjson recycles, and they are copied into the body. Maps are not
// sorted. What it still allocates for each item is the text of the time, which goes through
// MarshalJSON.
//
// easyjson.MarshalToWriter looks like the call for this, and is a trap: it does not look at the
// writer's Error, so a time that cannot be written leaves a hole in the JSON, which is sent, and
// nobody is told. easyjson.Marshal does look, and returns a fresh slice each time.
func (s *Sender) WriteEasyJSON(ctx context.Context, batch []Event) error {
	var w jwriter.Writer
	Events(batch).MarshalEasyJSON(&w)
	if w.Error != nil {
		return w.Error
	}
	buf := newBuffer()
	if _, err := w.DumpTo(buf); err != nil { // never: the writer is memory
		buffers.Put(buf)
		return err
	}
	return s.postBuffer(ctx, "application/json", buf)
}
