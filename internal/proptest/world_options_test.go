package proptest

// The options of the real batcher, with callbacks that look and misbehave.

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// quiet is a log handler that looks at the batcher: no lock may be held here.
type quiet struct{ w *world }

func (quiet) Enabled(context.Context, slog.Level) bool { return true }

func (q quiet) Handle(context.Context, slog.Record) error {
	_ = q.w.b.Stats()
	return nil
}

func (q quiet) WithAttrs([]slog.Attr) slog.Handler { return q }

func (q quiet) WithGroup(string) slog.Handler { return q }

func (w *world) options() []batcher.Option {
	cfg := w.cfg
	opts := []batcher.Option{
		batcher.WithMaxSize(cfg.MaxSize),
		batcher.WithMaxDelay(cfg.MaxDelay),
		batcher.WithWorkers(cfg.Workers),
		batcher.WithQueueDepth(cfg.Depth),
		batcher.WithOverflow(cfg.Overflow),
		batcher.WithFlushTimeout(cfg.Timeout),
		batcher.WithRetry(cfg.Attempts, func(n int) time.Duration {
			_ = w.b.Stats()
			return cfg.Backoff * time.Duration(n)
		}),
		batcher.WithLogger(slog.New(quiet{w})),
		batcher.WithDeadLetter(w.letter),
		batcher.WithBaseContext(w.base),
		batcher.WithName("proptest"),
	}
	if cfg.MaxWeight > 0 {
		opts = append(opts, batcher.WithMaxWeight(cfg.MaxWeight, func(it Item) int {
			_ = w.b.Stats()
			return it.Weight
		}))
	}
	if cfg.Eager {
		opts = append(opts, batcher.WithEager())
	}
	if cfg.RetryIf {
		opts = append(opts, batcher.WithRetryIf(WorthIt))
	}
	if cfg.Bisect {
		opts = append(opts, batcher.WithBisect())
	}
	if cfg.Keep {
		opts = append(opts, batcher.WithoutReuse())
	}
	if cfg.Hooks {
		opts = append(opts, batcher.WithHooks(w.hookSet()))
	}
	return opts
}

// hookSet counts. Under evil hooks they also panic and exit, which must change
// nothing.
func (w *world) hookSet() batcher.Hooks {
	count := func(i, n int) {
		_ = w.b.Stats() // no lock may be held here
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hooks[i] += n
	}
	misbehave := func(n int) {
		if !w.cfg.Evil {
			return
		}
		switch n % 3 {
		case 0:
			panic("a panic in a hook must be harmless")
		case 1:
			runtime.Goexit()
		}
	}
	return batcher.Hooks{
		FlushStart: func(ctx context.Context, info batcher.Info) context.Context {
			count(0, 1)
			switch {
			case info.Size == 1:
				return nil
			case info.Size == 2 && w.cfg.Evil:
				panic("a panic in a hook must be harmless")
			}
			return context.WithValue(ctx, hookKey{}, info.Size)
		},
		FlushEnd: func(ctx context.Context, info batcher.Info, result batcher.FlushResult) {
			count(1, 1)
			if ctx.Err() == nil || info.Size > 2 && ctx.Value(hookKey{}) != info.Size {
				w.problem("hooks: FlushEnd has the wrong context for %d items", info.Size)
			}
			w.checkEnd(info, result)
			misbehave(info.Size)
		},
		Retry: func(_ context.Context, info batcher.Info, wait time.Duration, err error) {
			w.mu.Lock()
			w.pauses = append(w.pauses, Pause{At: w.now(), Wait: wait, Size: info.Size})
			w.mu.Unlock()
			misbehave(info.Size + 1)
		},
		DeadLetter: func(_ context.Context, info batcher.Info, err *batcher.FlushError) {
			if err.Items != info.Size {
				w.problem("hooks: DeadLetter got %d items with Info.Size %d", err.Items, info.Size)
			}
			count(2, err.Items)
			if errors.Is(err, batcher.ErrDropped) {
				misbehave(0) // runtime.Goexit would end the producer
			}
			misbehave(info.Size)
		},
	}
}

// checkEnd compares what FlushEnd is told with what the flush function did. With
// one worker it is the last call.
func (w *world) checkEnd(info batcher.Info, result batcher.FlushResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.Workers > 1 || w.gone >= 0 {
		return
	}
	call := w.calls[len(w.calls)-1]
	if result.Duration != call.end-call.at || info != call.info {
		w.problemLocked("hooks: FlushEnd got %v, %+v, the call from %v to %v had %+v", result.Duration, info, call.at, call.end, call.info)
	}
}
