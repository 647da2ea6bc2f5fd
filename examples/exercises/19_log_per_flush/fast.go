package logperflush

// The fast side: counters, and lines for failures only.

import (
	"io"
	"log/slog"
	"sync/atomic"
)

// Fast counts what goes well, by reason, and logs what does not. A counter says more than lines
// do: a rate over any time, without anything to search through.
type Fast struct {
	write  Write
	logger *slog.Logger

	batches [reasons]atomic.Int64
	items   atomic.Int64
}

// NewFast returns a Fast that logs to w.
func NewFast(write Write, w io.Writer) *Fast {
	return &Fast{write: write, logger: slog.New(slog.NewTextHandler(w, nil))}
}

// Flush writes a batch and counts it, or says why not. It may be called from several goroutines.
func (f *Fast) Flush(reason Reason, batch []int) {
	if err := f.write(batch); err != nil {
		logFailure(f.logger, reason, batch, err)
		return
	}
	f.batches[reason].Add(1)
	f.items.Add(int64(len(batch)))
}

// Counts returns how many batches were flushed for this reason, and how many items for any.
func (f *Fast) Counts(reason Reason) (batches, items int64) {
	return f.batches[reason].Load(), f.items.Load()
}
