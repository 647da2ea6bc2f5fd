package compression

// gzip of the standard library, at its default level.

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"sync"
)

// WriteGzipFresh makes a gzip.Writer for each batch. One is several hundred kilobytes of tables: they
// are allocated and cleared for each batch, and collected after it. The smaller the batch, the
// more of the work is that.
func (s *Sender) WriteGzipFresh(ctx context.Context, batch []Event) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(body); err != nil {
		return err
	}
	if err := z.Close(); err != nil { // writes what is left; without it the body ends too early
		return err
	}
	return s.post(ctx, "gzip", out.Bytes())
}

var gzips = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

// WriteGzipPooled recycles the gzip.Writer.
func (s *Sender) WriteGzipPooled(ctx context.Context, batch []Event) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	return s.postWith(ctx, &gzips, "gzip", body)
}
