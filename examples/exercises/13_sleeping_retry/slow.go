// Package sleepingretry is exercise 13: a retry that sleeps, whatever happens meanwhile.
package sleepingretry

// The slow side: the same pause after every failure, and nothing can end it.

import (
	"context"
	"errors"
	"time"
)

// Write is one attempt to write a batch.
type Write func(ctx context.Context, batch []int) error

// errExhausted is all that Slow and OnTop say after the last attempt.
var errExhausted = errors.New("retries exhausted")

// Slow makes so many attempts, with a pause after each one that failed.
//
//   - Nobody can stop it: a service that is to end waits for all the pauses that are left.
//   - An error that no attempt will cure gets as many attempts as any other.
//   - It pauses after the last attempt as well, for nothing.
//   - All who failed together come back together, to a server that has just failed.
//   - What the error was is lost.
func Slow(attempts int, pause time.Duration, write Write, batch []int) error {
	for range attempts {
		if err := write(context.Background(), batch); err == nil {
			return nil
		}
		time.Sleep(pause)
	}
	return errExhausted
}
