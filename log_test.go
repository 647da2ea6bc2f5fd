package batcher_test

// What is logged, at which level, and what the sampling leaves out.

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

// logbook keeps the lines of a text logger, without their time.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logbook) option() batcher.Option {
	return batcher.WithLogger(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
}

// lines returns the lines so far.
func (l *logbook) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")[:strings.Count(l.text.String(), "\n")]
}

func refuse(context.Context, []int) error { return errSink }

func TestAFailedBatchIsOneStructuredLineAndAFloodIsThinnedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		b := start(t, refuse, batcher.WithMaxSize(3), batcher.WithName("orders"), log.option())
		for range 5 {
			addInts(t, b, 2)
			require.Error(t, b.Flush(context.Background()))
		}
		time.Sleep(time.Second)
		addInts(t, b, 3)
		synctest.Wait()
		addInts(t, b, 2)
		require.NoError(t, b.Close(context.Background()))
		require.NoError(t, b.Close(context.Background()))
		assert.Equal(t, []string{
			`level=ERROR msg="batcher: batch failed" name=orders reason=flush size=2 attempts=1 error="sink is down"`,
			`level=ERROR msg="batcher: batch failed" name=orders reason=size size=3 attempts=1 error="sink is down" omitted=4 omitted_items=8`,
			`level=ERROR msg="batcher: more batches failed" name=orders omitted=1 omitted_items=2`,
		}, log.lines())
	})
}

func TestAFailedBatchIsAWarningIfADeadLetterHandlerHasIt(t *testing.T) {
	var log logbook
	var mail mailbox[int]
	b := start(t, refuse, log.option(), batcher.WithMaxSize(2), batcher.WithDeadLetter(mail.handle))
	addInts(t, b, 4)
	finish(t, b)
	assert.Equal(t, []string{
		`level=WARN msg="batcher: batch failed" name="" reason=size size=2 attempts=1 error="sink is down"`,
		`level=WARN msg="batcher: more batches failed" name="" omitted=1 omitted_items=2`,
	}, log.lines())
}

func TestAnAttemptThatWillBeRepeatedIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		var sink script[int]
		sink.fail(errSink, batcher.RetryAfter(errors.New("<busy>\n"), 5*time.Second), errSink)
		b := start(t, sink.flush, log.option(), batcher.WithName("orders"), batcher.WithMaxSize(2),
			batcher.WithRetry(5, func(int) time.Duration { return 100 * time.Millisecond }))
		addInts(t, b, 2)
		finish(t, b)
		assert.Equal(t, []string{
			`level=WARN msg="batcher: flush failed, to be tried again" name=orders reason=size size=2 attempts=1 wait=100ms error="sink is down"`,
			`level=WARN msg="batcher: flush failed, to be tried again" name=orders reason=size size=2 attempts=3 wait=100ms error="sink is down" omitted=1 omitted_items=2`,
		}, log.lines())
	})
}

func TestCloseCountsTheRetriesAndPanicsThatWereLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		var sink script[int]
		sink.fail(errSink, errSink, errSink)
		b := start(t, sink.flush, log.option(), batcher.WithName("orders"), batcher.WithMaxSize(2),
			batcher.WithRetry(5, func(int) time.Duration { return 100 * time.Millisecond }),
			batcher.WithHooks(batcher.Hooks{Retry: func(context.Context, batcher.Info, time.Duration, error) { panic("hook") }}))
		addInts(t, b, 2)
		finish(t, b)
		lines := log.lines()
		require.Len(t, lines, 4, "the first of each kind, and what was left out of it")
		assert.Equal(t, []string{
			`level=WARN msg="batcher: more flushes failed and were tried again" name=orders omitted=2 omitted_items=4`,
			`level=ERROR msg="batcher: more panics in user code" name=orders omitted=2 omitted_items=0`,
		}, lines[2:])
	})
}

func TestNothingIsLoggedOfAFlushThatSucceeds(t *testing.T) {
	var log logbook
	b := start(t, func(context.Context, []int) error { return nil }, log.option(), batcher.WithMaxSize(2))
	addInts(t, b, 100)
	require.NoError(t, b.Flush(context.Background()))
	finish(t, b)
	assert.Empty(t, log.lines())
}

func TestDropsAreWarningsUnlessAHandlerHasThem(t *testing.T) {
	for name, c := range map[string]struct {
		handler bool
		want    []string
	}{
		"without": {false, []string{
			`level=WARN msg="batcher: items dropped" name="" size=1 attempts=0 error="batcher: dropped for lack of room"`,
			`level=WARN msg="batcher: more items dropped" name="" omitted=2 omitted_items=2`,
		}},
		"with": {true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logbook
				var mail mailbox[int]
				release := make(chan struct{})
				opts := []batcher.Option{log.option(), batcher.WithOverflow(batcher.DropNewest),
					batcher.WithMaxSize(1), batcher.WithQueueDepth(1)}
				if c.handler {
					opts = append(opts, batcher.WithDeadLetter(mail.handle))
				}
				b := start(t, func(context.Context, []int) error { <-release; return nil }, opts...)
				addInts(t, b, 2)
				for range 3 {
					require.NoError(t, b.Add(context.Background(), 3))
				}
				close(release)
				assert.EqualValues(t, 3, finish(t, b).Dropped)
				assert.ElementsMatch(t, c.want, log.lines())
			})
		})
	}
}

func TestAFloodOfOneKindHidesNoLineOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		release := make(chan struct{})
		b := start(t, func(context.Context, []int) error { <-release; return errSink }, log.option(),
			batcher.WithOverflow(batcher.DropNewest), batcher.WithMaxSize(1), batcher.WithQueueDepth(1),
			batcher.WithHooks(batcher.Hooks{DeadLetter: func(context.Context, batcher.Info, *batcher.FlushError) { panic("hook") }}))
		addInts(t, b, 10)
		close(release)
		finish(t, b)
		text := strings.Join(log.lines(), "\n")
		for _, message := range []string{"items dropped", "batch failed", "panic in user code"} {
			assert.Contains(t, text, `"batcher: `+message+`"`)
		}
	})
}

func TestAPanicIsLoggedWithItsStack(t *testing.T) {
	var log logbook
	b := start(t, func(context.Context, []int) error { panic("boom") }, log.option(), batcher.WithMaxSize(1))
	addInts(t, b, 1)
	finish(t, b)
	require.Len(t, log.lines(), 1)
	assert.Contains(t, log.lines()[0], "log_test.go")
}

func TestWithoutALoggerTheDefaultOneIsUsed(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	var log bytes.Buffer
	b := start(t, func(context.Context, []int) error { return errSink })
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil))) // looked up at each use
	addInts(t, b, 1)
	finish(t, b)
	assert.Contains(t, log.String(), "sink is down")
}
