package logperflush

// The library's own: books for what goes well, sampled lines for what does not.

import (
	"context"
	"io"
	"log/slog"
	"math"

	"github.com/seed-4c1eaf8a/batcher"
)

// Library is a batcher.Batcher. It logs nothing of a flush that succeeds; Stats counts it, and
// hooks can see it. Failures are sampled as well, each kind by itself (log.go): the first line at
// once, then one a second at most with the number of lines left out. A sink that is down would
// otherwise fill the disk.
type Library struct{ *batcher.Batcher[int] }

// NewLibrary returns a batcher for batches of size items that logs to w.
func NewLibrary(size int, write Write, w io.Writer) (Library, error) {
	flush := func(_ context.Context, batch []int) error { return write(batch) }
	b, err := batcher.New(flush, batcher.WithMaxSize(size), batcher.WithMaxDelay(math.MaxInt64),
		batcher.WithLogger(slog.New(slog.NewTextHandler(w, nil))))
	return Library{b}, err
}

// Flush adds the items of a batch. It is passed on when there are size of them.
func (l Library) Flush(_ Reason, batch []int) {
	_, _ = l.AddAll(context.Background(), batch) // it fails only after Close
}

// Close passes on what is left and ends the batcher.
func (l Library) Close() error { return l.Batcher.Close(context.Background()) }
