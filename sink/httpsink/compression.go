package httpsink

// Compression of bodies. The encoders of klauspost/compress are pure Go, and about three times as
// fast as the standard library's gzip; zstd is not in the standard library at all. What they
// allocate, hundreds of KB, is why they are pooled, as part of a desk.

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressor is a stream that is used again and again.
type compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// compression is one that was chosen; the zero value is none.
type compression struct {
	name string            // in Content-Encoding
	make func() compressor // writes nowhere until it is Reset
}

const (
	defaultGzip = gzip.DefaultCompression

	// zstdWindow is how far back a match may be. Most bodies are smaller; a decoder allocates as
	// much for each stream, and so does our encoder, twice.
	zstdWindow = 1 << 20
)

// compression returns what the options ask for, and have been checked for.
func (c *config) compression() compression {
	switch {
	case c.gzipSet:
		return compression{"gzip", func() compressor { return newGzip(c.gzip) }}
	case c.zstdSet:
		return compression{"zstd", func() compressor { return newZstd(c.zstd) }}
	}
	return compression{}
}

func newGzip(level int) compressor {
	w, err := gzip.NewWriterLevel(io.Discard, level)
	if err != nil {
		panic("httpsink: unchecked gzip level: " + err.Error())
	}
	return w
}

// newZstd returns an encoder without goroutines: with a concurrency of 1 it works on the caller's.
func newZstd(level int) compressor {
	w, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(zstdWindow),
		zstd.WithLowerEncoderMem(true),
	)
	if err != nil {
		panic("httpsink: unchecked zstd option: " + err.Error())
	}
	return w
}
