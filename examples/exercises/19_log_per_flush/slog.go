package logperflush

// The answer that is none: structured lines, one for every flush.

import (
	"context"
	"io"
	"log/slog"
)

// Slog is Slow with log/slog. LogAttrs takes its values without boxing them, so nothing is
// allocated; but a line is longer, with names and a time in full, and the system call is the
// same.
type Slog struct {
	write  Write
	logger *slog.Logger
}

// NewSlog returns a Slog that logs to w.
func NewSlog(write Write, w io.Writer) *Slog {
	return &Slog{write, slog.New(slog.NewTextHandler(w, nil))}
}

// Flush writes a batch and says so, or why not. It may be called from several goroutines.
func (s *Slog) Flush(reason Reason, batch []int) {
	if err := s.write(batch); err != nil {
		logFailure(s.logger, reason, batch, err)
		return
	}
	s.logger.LogAttrs(context.Background(), slog.LevelInfo, "flushed",
		slog.String("reason", reason.String()), slog.Int("size", len(batch)))
}

func logFailure(logger *slog.Logger, reason Reason, batch []int, err error) {
	logger.LogAttrs(context.Background(), slog.LevelError, "flush failed",
		slog.String("reason", reason.String()), slog.Int("size", len(batch)), slog.Any("error", err))
}
