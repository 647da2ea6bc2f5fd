package logperflush

// For those who want to see that it lives: one line a second, and every failure.

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Sampled writes at most one line a second about flushes that went well, with the number of those
// that it has not mentioned. Failures do not go through the sampling: if they did, a flood of
// good news would hide the bad.
type Sampled struct {
	write  Write
	logger *slog.Logger

	mu      sync.Mutex // guards the fields below
	last    time.Time
	omitted int
}

// NewSampled returns a Sampled that logs to w.
func NewSampled(write Write, w io.Writer) *Sampled {
	return &Sampled{write: write, logger: slog.New(slog.NewTextHandler(w, nil))}
}

// Flush writes a batch, and says so now and then, or why not. It may be called from several
// goroutines.
func (s *Sampled) Flush(reason Reason, batch []int) {
	if err := s.write(batch); err != nil {
		logFailure(s.logger, reason, batch, err)
		return
	}
	if omitted, due := s.take(); due {
		s.logger.LogAttrs(context.Background(), slog.LevelInfo, "flushed",
			slog.String("reason", reason.String()), slog.Int("size", len(batch)), slog.Int("omitted", omitted))
	}
}

// take reports whether a line is due, and how many there would have been since the last one.
func (s *Sampled) take() (omitted int, due bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < time.Second {
		s.omitted++
		return 0, false
	}
	omitted, s.omitted, s.last = s.omitted, 0, now
	return omitted, true
}
