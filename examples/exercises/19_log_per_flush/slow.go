// Package logperflush is exercise 19: a line in the log for every flush.
package logperflush

// The slow side: log.Printf.

import (
	"io"
	"log"
)

// Write writes a batch.
type Write func(batch []int) error

// Reason is why a batch was passed on.
type Reason int

const (
	Size  Reason = iota // it was full
	Delay               // its time had come

	reasons = iota
)

// String returns the reason in lower case.
func (r Reason) String() string { return [reasons]string{"size", "delay"}[r] }

// Slow writes a line for each flush. The arguments are boxed into interfaces, the format is read
// anew each time, and then there is a system call for the line, under the lock of the logger. All
// that for a line that nobody reads; in between are the few that somebody should.
type Slow struct {
	write  Write
	logger *log.Logger
}

// NewSlow returns a Slow that logs to w.
func NewSlow(write Write, w io.Writer) *Slow { return &Slow{write, log.New(w, "", log.LstdFlags)} }

// Flush writes a batch and says so, or why not. It may be called from several goroutines.
func (s *Slow) Flush(reason Reason, batch []int) {
	err := s.write(batch)
	if err != nil {
		s.logger.Printf("flush of %d items failed, reason=%s: %v", len(batch), reason, err)
		return
	}
	s.logger.Printf("flushed %d items, reason=%s", len(batch), reason)
}
