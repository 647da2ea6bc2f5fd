package sleepingretry

// The fast side: pauses that grow, are spread out, and end when the caller does.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Fast makes at most so many attempts, with a pause between them as backoff says. It uses the
// library's ExponentialBackoff (retry.go), which is random from 0 up to a bound that doubles, and
// its marks: Permanent, for what no attempt will cure, and RetryAfter, for a server that says
// itself when to come back.
//
// It returns the last failure, or that together with the cause of ctx.
func Fast(ctx context.Context, attempts int, backoff batcher.Backoff, write Write, batch []int) error {
	var failure error
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil { // asked here, since the pause may have ended by itself at the same time
			return errors.Join(context.Cause(ctx), failure)
		}
		failure = write(ctx, batch)
		if failure == nil {
			return nil
		}
		if batcher.IsPermanent(failure) || attempt >= attempts {
			return fmt.Errorf("attempt %d: %w", attempt, failure)
		}
		wait := backoff(attempt)
		if asked, ok := batcher.RetryDelay(failure); ok {
			wait = max(wait, asked)
		}
		pause(ctx, wait)
	}
}

// pause returns after d, or when ctx ends. The timer is stopped: it would live on until it fires
// otherwise, before Go 1.23 even if nobody could see it any more.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
