package natssink

// Asking beforehand: is there a stream?

import (
	"context"
	"fmt"
)

// Check asks the server whether there is a stream for each of the subjects, and whether it is the one
// of [WithExpectedStream], if that was given. It is for the start of a program: Write cannot tell a
// stream that does not exist from one that has no leader at the moment, and goes on trying.
//
// The subjects are examples of what the message function produces. With no subject, it asks for the
// expected stream, and without that for JetStream itself. The error names the subject and wraps
// jetstream.ErrStreamNotFound if there is no such stream. The cost is a request for each.
func (s *Sink[T]) Check(ctx context.Context, subjects ...string) error {
	if s.config.streamSet {
		if _, err := s.js.Stream(ctx, s.config.stream); err != nil {
			return fmt.Errorf("natssink: expected stream %q: %w", s.config.stream, err)
		}
	} else if len(subjects) == 0 {
		if _, err := s.js.AccountInfo(ctx); err != nil {
			return fmt.Errorf("natssink: JetStream: %w", err)
		}
	}
	for _, subject := range subjects {
		if err := validSubject(subject); err != nil {
			return fmt.Errorf("natssink: %w", err)
		}
		name, err := s.js.StreamNameBySubject(ctx, subject)
		switch {
		case err != nil:
			return fmt.Errorf("natssink: stream for subject %q: %w", subject, err)
		case s.config.streamSet && name != s.config.stream:
			return fmt.Errorf("natssink: subject %q belongs to stream %q, not to the expected %q",
				subject, name, s.config.stream)
		}
	}
	return nil
}
