package sleepingretry

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the library tells of failed batches
	goleak.VerifyTestMain(m)
}

const (
	attempts = 10
	base     = 100 * time.Millisecond
	most     = 10 * time.Second
)

var (
	errDown = errors.New("the server is down")
	batch   = []int{1, 2, 3}
)

// server fails so many times, with err, and then takes everything. It is used by one goroutine at
// a time.
type server struct {
	failures int
	err      error
	attempts int
	got      []int
}

func (s *server) write(_ context.Context, batch []int) error {
	s.attempts++
	if s.attempts <= s.failures {
		return s.err
	}
	s.got = append(s.got, batch...)
	return nil
}

// tape remembers the pauses that a backoff asked for.
type tape struct {
	backoff batcher.Backoff
	total   time.Duration
	pauses  int
}

func newTape() *tape { return &tape{backoff: batcher.ExponentialBackoff(base, most)} }

func (t *tape) next(attempt int) time.Duration {
	d := t.backoff(attempt)
	t.total += d
	t.pauses++
	return d
}

func always(d time.Duration) batcher.Backoff {
	return func(int) time.Duration { return d }
}

// library writes the batch through a batcher that it closes, and returns what Flush said.
func library(t *testing.T, backoff batcher.Backoff, write Write) error {
	b, err := NewLibrary(len(batch), attempts, backoff, write)
	require.NoError(t, err)
	_, err = b.AddAll(t.Context(), batch)
	require.NoError(t, err)
	result := b.Flush(t.Context())
	require.NoError(t, b.Close(t.Context()))
	return result
}

// elapsed returns how long f takes, in the time of the bubble.
func elapsed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// checkStored checks that the batch is stored once, after three failures.
func checkStored(t *testing.T, s *server) {
	t.Helper()
	assert.Equal(t, 4, s.attempts)
	assert.Equal(t, batch, s.got)
}

func TestThreeFailuresTakeThreePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{failures: 3, err: errDown}
		took := elapsed(func() { require.NoError(t, Slow(attempts, base, s.write, batch)) })
		assert.Equal(t, 3*base, took, "slow")
		checkStored(t, s)

		s = &server{failures: 3, err: errDown}
		took = elapsed(func() { require.NoError(t, OnTop(t.Context(), attempts, base, most, s.write, batch)) })
		assert.GreaterOrEqual(t, took, 7*base, "ontop: 1 + 2 + 4 at least")
		assert.Less(t, took, 14*base, "ontop: twice that at most")
		checkStored(t, s)

		s = &server{failures: 3, err: errDown}
		pauses := newTape()
		took = elapsed(func() { require.NoError(t, Fast(t.Context(), attempts, pauses.next, s.write, batch)) })
		assert.Equal(t, pauses.total, took, "fast")
		assert.Equal(t, 3, pauses.pauses, "fast")
		assert.LessOrEqual(t, took, 7*base, "fast: 1 + 2 + 4 at most")
		checkStored(t, s)

		s = &server{failures: 3, err: errDown}
		pauses = newTape()
		took = elapsed(func() { require.NoError(t, library(t, pauses.next, s.write)) })
		assert.Equal(t, pauses.total, took, "library")
		assert.Equal(t, 3, pauses.pauses, "library")
		checkStored(t, s)
	})
}

func TestAfterTheLastAttemptOnlySlowAndOnTopPauseAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func(context.Context, []int) error { return errDown }
		took := elapsed(func() { assert.ErrorIs(t, Slow(attempts, base, down, batch), errExhausted) })
		assert.Equal(t, attempts*base, took, "slow")

		took = elapsed(func() {
			assert.ErrorIs(t, OnTop(t.Context(), attempts, base, base, down, batch), errExhausted)
		})
		assert.GreaterOrEqual(t, took, attempts*base, "ontop, with no growth")

		took = elapsed(func() { assert.ErrorIs(t, Fast(t.Context(), attempts, always(base), down, batch), errDown) })
		assert.Equal(t, (attempts-1)*base, took, "fast")

		took = elapsed(func() { assert.ErrorIs(t, library(t, always(base), down), errDown) })
		assert.Equal(t, (attempts-1)*base, took, "library")
	})
}

func TestCancelEndsThePauseAtOnceUnlessItIsASleep(t *testing.T) {
	const after = base/2 + base*2 // in the middle of a pause
	stop := errors.New("the service ends")
	down := func(context.Context, []int) error { return errDown }
	// returned runs f, and tells how long it took f to return after its context had ended.
	returned := func(t *testing.T, f func(ctx context.Context)) time.Duration {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(after, func() { cancel(stop) })
		return elapsed(func() { f(ctx) }) - after
	}
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, attempts*base-after, returned(t, func(context.Context) {
			assert.ErrorIs(t, Slow(attempts, base, down, batch), errExhausted)
		}), "slow: all that is left")

		assert.Zero(t, returned(t, func(ctx context.Context) {
			assert.ErrorIs(t, OnTop(ctx, attempts, base*2, most, down, batch), context.Canceled)
		}), "ontop")

		assert.Zero(t, returned(t, func(ctx context.Context) {
			err := Fast(ctx, attempts, always(base), down, batch)
			assert.ErrorIs(t, err, stop)
			assert.ErrorIs(t, err, errDown, "and why it had to wait")
		}), "fast")

		assert.Zero(t, returned(t, func(ctx context.Context) {
			b, err := NewLibrary(len(batch), attempts, always(base), down)
			require.NoError(t, err)
			_, err = b.AddAll(ctx, batch)
			require.NoError(t, err)
			var left *batcher.CloseError[int]
			require.ErrorAs(t, b.Close(ctx), &left)
			assert.Equal(t, batch, left.Unknown, "they were tried, and are not lost")
		}), "library")
	})
}

func TestAPermanentFailureGetsOneAttemptUnlessNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{failures: attempts, err: batcher.Permanent(errDown)}
		took := elapsed(func() { assert.ErrorIs(t, Slow(attempts, base, s.write, batch), errExhausted) })
		assert.Equal(t, attempts*base, took, "slow")
		assert.Equal(t, attempts, s.attempts, "slow")

		for name, retry := range map[string]func(Write) error{
			"ontop":   func(w Write) error { return OnTop(t.Context(), attempts, base, most, w, batch) },
			"fast":    func(w Write) error { return Fast(t.Context(), attempts, always(base), w, batch) },
			"library": func(w Write) error { return library(t, always(base), w) },
		} {
			s := &server{failures: attempts, err: batcher.Permanent(errDown)}
			took := elapsed(func() { assert.ErrorIs(t, retry(s.write), errDown, name) })
			assert.Zero(t, took, name)
			assert.Equal(t, 1, s.attempts, name)
		}
	})
}

func TestAServerThatSaysWhenToComeBackIsObeyed(t *testing.T) {
	const asked = 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		for name, retry := range map[string]func(Write) error{
			"fast":    func(w Write) error { return Fast(t.Context(), attempts, always(base), w, batch) },
			"library": func(w Write) error { return library(t, always(base), w) },
		} {
			s := &server{failures: 3, err: batcher.RetryAfter(errDown, asked)}
			took := elapsed(func() { require.NoError(t, retry(s.write), name) })
			assert.Equal(t, 3*asked, took, name)
		}
	})
}

func TestACapThatComesAfterTheUseDoesNotCapTheFirstPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{failures: 1, err: errDown}
		took := elapsed(func() { require.NoError(t, OnTop(t.Context(), attempts, time.Minute, most, s.write, batch)) })
		assert.GreaterOrEqual(t, took, time.Minute, "ontop")

		s = &server{failures: 1, err: errDown}
		backoff := batcher.ExponentialBackoff(time.Minute, most)
		took = elapsed(func() { require.NoError(t, Fast(t.Context(), attempts, backoff, s.write, batch)) })
		assert.LessOrEqual(t, took, most, "fast")
	})
}

func TestAContextThatHasEndedMakesNoAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := new(server)
	require.ErrorIs(t, Fast(ctx, attempts, always(base), s.write, batch), context.Canceled)
	assert.Zero(t, s.attempts)
}
