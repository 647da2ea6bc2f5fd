package sleepingretry

// A fix that is often seen, and is one half.

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// OnTop doubles its pause after every failure, adds a random part to it, and ends with ctx. It
// gives up at once what is permanent. What is left to be desired:
//
//   - The random part comes on top of the pause, which is then between once and twice as long:
//     all who failed together leave the server alone for a while, and then come in the second
//     half.
//   - The pause is capped after it was used, so the first one may exceed the cap, and all may by
//     the random part.
//   - It still pauses after the last attempt.
//   - If the pause is over when ctx ends, select chooses either, and may make another attempt.
func OnTop(ctx context.Context, attempts int, base, most time.Duration, write Write, batch []int) error {
	delay := base
	for range attempts {
		err := write(ctx, batch)
		if err == nil {
			return nil
		}
		if batcher.IsPermanent(err) {
			return err
		}
		jitter := rand.N(delay)
		select {
		case <-time.After(delay + jitter):
		case <-ctx.Done():
			return ctx.Err()
		}
		delay = min(2*delay, most)
	}
	return errExhausted
}
