package compression

// The compressors of klauspost/compress: pure Go, like those of the standard library.

import (
	"context"
	"encoding/json"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var klauspostGzips = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

// WriteKlauspostGzip sends the same format as compress/gzip, at the default level too: a receiver cannot
// tell. The compressor is another one.
func (s *Sender) WriteKlauspostGzip(ctx context.Context, batch []Event) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	return s.postWith(ctx, &klauspostGzips, "gzip", body)
}

// An encoder works on goroutines of its own by default, as many as there are processors. A batcher
// has workers for that, so one at a time is right: the work is done on the caller's.
var zstds = sync.Pool{New: func() any {
	z, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic("the options of zstd are constants: " + err.Error())
	}
	return z
}}

// WriteZstd sends zstd, at its fastest level. The receiver must be able to read it: ask before.
func (s *Sender) WriteZstd(ctx context.Context, batch []Event) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	return s.postWith(ctx, &zstds, "zstd", body)
}
