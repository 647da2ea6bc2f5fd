package batchertest_test

// Sinks with one defect each, and which checks find it: slices, items, contexts.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

var defects = slices.Concat(slicesKept, itemsLost, contextsIgnored, brokenByContexts, badItemsWrong,
	emptyAndRepeated, goroutinesLeft, misclassified)

// all maps each of the names to the same report.
func all(report string, names ...string) map[string]string {
	found := make(map[string]string)
	for _, name := range names {
		found[name] = report
	}
	return found
}

// and adds to what was found.
func and(found map[string]string, report string, names ...string) map[string]string {
	maps.Copy(found, all(report, names...))
	return found
}

// instead returns the correct sink, except that calls for which when is true go to do.
func instead(
	s *store, when func(batch []record) bool, do func(ctx context.Context, batch []record) error,
) batcher.FlushFunc[record] {
	return func(ctx context.Context, batch []record) error {
		if when(batch) {
			return do(ctx, batch)
		}
		return s.write(ctx, batch)
	}
}

// after returns the correct sink, except that do changes what it returns.
func after(
	s *store, do func(ctx context.Context, batch []record, err error) error,
) batcher.FlushFunc[record] {
	return func(ctx context.Context, batch []record) error {
		return do(ctx, batch, s.write(ctx, batch))
	}
}

func ofSize(n int) func([]record) bool { return func(batch []record) bool { return len(batch) == n } }
func large(batch []record) bool        { return len(batch) > 1000 }
func hasBad(batch []record) bool       { return slices.ContainsFunc(batch, record.bad) }

const isMissing, isDoubled, isForeign = "missing", "more than once", "though they should not be"

// putOff returns a sink that stores good batches when somebody looks.
func putOff(s *store, own func([]record) []record) batcher.FlushFunc[record] {
	return func(ctx context.Context, batch []record) error {
		if len(batch) == 0 || ctx.Err() != nil || hasBad(batch) {
			return s.write(ctx, batch)
		}
		if err := s.answer(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending = append(s.pending, own(batch))
		return nil
	}
}

// storePending stores what was put off.
func storePending(s *store) []string {
	for _, batch := range s.pending {
		keys, _ := encoded(batch)
		_ = s.put(context.Background(), keys...)
	}
	s.pending = nil
	return s.stored()
}

var slicesKept = []defect{{
	name:  "keeps the slice and never reads it",
	fails: all("still refers to its slice", kept),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(_ context.Context, batch []record, err error) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pending = append(s.pending, batch)
			return err
		})
	},
}, {
	name:  "reads the slice after the call",
	fails: and(all("still refers to its slice", kept), isMissing, late, inBatcher),
	write: func(s *store) batcher.FlushFunc[record] {
		return putOff(s, func(batch []record) []record { return batch })
	},
	stored: storePending,
}, {
	name:   "reads what the items point to after the call",
	fails:  all(isMissing, late),
	write:  func(s *store) batcher.FlushFunc[record] { return putOff(s, slices.Clone) },
	stored: storePending,
}, {
	name:  "sends later what it was to give up, out of the items' memory",
	fails: all(isForeign, cancelled, deadline),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			if hung := s.hanging(); err != nil && hung != nil && !hasBad(batch) {
				own := slices.Clone(batch)
				go func() {
					<-hung
					keys, _ := encoded(own)
					_ = s.put(context.Background(), keys...)
				}()
			}
			return err
		})
	},
}}

var itemsLost = []defect{{
	name:  "loses an item of a batch of seven",
	fails: all(isMissing, once, late, order),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, ofSize(7), func(ctx context.Context, batch []record) error {
			return s.write(ctx, batch[1:])
		})
	},
}, {
	name:  "loses half of a large batch",
	fails: all(isMissing, huge),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, large, func(ctx context.Context, batch []record) error {
			return s.write(ctx, batch[:len(batch)/2])
		})
	},
}, {
	name:  "fails a large batch",
	fails: all("Write of 1500 good items to a healthy target: memory: the store says no", huge),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, large, func(context.Context, []record) error { return errStore })
	},
}, {
	name:  "stores the items of a batch of seven twice",
	fails: all(isDoubled, once, late, order),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, ofSize(7), func(ctx context.Context, batch []record) error {
			keys, _ := encoded(batch)
			s.force(keys...)
			return s.write(ctx, batch)
		})
	},
}, {
	name:  "reorders",
	fails: all("the order is not kept: place 1 has \"record 2\" instead of \"record 1\"", order),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if !hasBad(batch) {
				slices.Reverse(batch) // which is the sink's own
			}
			return s.write(ctx, batch)
		}
	},
}, {
	name:  "acknowledges what is not stored yet",
	fails: all("", writing...),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			keys, bad := encoded(batch)
			go func() {
				select {
				case <-s.quit:
				case <-time.After(time.Millisecond):
					_ = s.put(context.WithoutCancel(ctx), keys...)
				}
			}()
			return partial(bad)
		}
	},
}, {
	name:  "loses updates of calls at once",
	fails: all(isMissing, atOnce, cancelled, deadline, inBatcher, wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			before := s.stored()
			time.Sleep(time.Millisecond)
			if err := s.write(ctx, batch); err != nil || len(batch) == 0 {
				return err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, r := range batch {
				if !slices.Contains(before, r.key()) {
					before = append(before, r.key())
				}
			}
			s.keys = before
			return nil
		}
	},
}, {
	name:  "refuses a call during another one",
	fails: all("Write, with 8 at once: memory: the store says no", atOnce, cancelled, deadline, wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		var running atomic.Int32
		return func(ctx context.Context, batch []record) error {
			if running.Add(1) > 1 && len(batch) == 4 { // which those of the batcher are not
				running.Add(-1)
				return errStore
			}
			defer running.Add(-1)
			time.Sleep(time.Millisecond)
			return s.write(ctx, batch)
		}
	},
}, {
	name:  "leaves through Goexit",
	fails: all("left through runtime.Goexit", once, late, order),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, ofSize(7), func(context.Context, []record) error {
			runtime.Goexit()
			return nil
		})
	},
}}

const notPrompt = "Write has not returned within 10s"

var contextsIgnored = []defect{{
	name:  "does not wait for the answer",
	fails: all("Write did not wait for a target that hangs", cancelled, deadline, wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, func([]record) bool { return s.hanging() != nil },
			func(context.Context, []record) error { return nil })
	},
}, {
	name:  "works no more after a context that had ended",
	fails: all("Write of 3 good items to a healthy target: memory: broken pipe", ended),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if ctx.Err() != nil && s.hanging() == nil {
				s.setBroken(true)
			} else if s.isBroken() {
				return errPipe
			}
			return s.write(ctx, batch)
		}
	},
}, {
	name:  "writes though the context has ended",
	fails: all("Write returned nil", ended),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if s.hanging() == nil {
				ctx = context.WithoutCancel(ctx)
			}
			return s.write(ctx, batch)
		}
	},
}, {
	name:  "writes though the context has ended, and reports that it has",
	fails: all(isForeign, ended),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			if err != nil && s.hanging() == nil && ctx.Err() != nil {
				keys, _ := encoded(batch)
				s.force(keys...)
			}
			return err
		})
	},
}, {
	name:  "reports bad items though the context has ended",
	fails: all("the error is partial", ended),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if _, bad := encoded(batch); ctx.Err() != nil && len(bad) > 0 {
				return partial(bad)
			}
			return s.write(ctx, batch)
		}
	},
}, {
	name:  "waits on when the context ends",
	fails: all(notPrompt, cancelled, deadline, wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if ctx.Err() == nil && len(s.stored()) > 0 { // once there is a connection
				ctx = context.WithoutCancel(ctx)
			}
			return s.write(ctx, batch)
		}
	},
}, {
	name:  "returns nil when the context ends",
	fails: all("Write returned nil, though its context had ended", ended, cancelled, deadline, wholeFirst),
	write: changesContextErrors(func(error) error { return nil }),
}, {
	name:  "marks an ended context as permanent",
	fails: all("the error is permanent", ended, cancelled, deadline, wholeFirst),
	write: changesContextErrors(batcher.Permanent),
}, {
	name:  "marks an ended context as too large",
	fails: all("the error is too large", ended, cancelled, deadline, wholeFirst),
	write: changesContextErrors(batcher.TooLarge),
}, {
	name:  "asks for a pause when the context ends",
	fails: all("the error is throttled", ended, cancelled, deadline, wholeFirst),
	write: changesContextErrors(func(err error) error { return batcher.RetryAfter(err, time.Second) }),
}, {
	name:  "does not tell the cause",
	fails: all("does not wrap context.Cause", ended, cancelled, deadline, wholeFirst),
	write: changesContextErrors(func(error) error { return context.Canceled }),
}}

func changesContextErrors(change func(error) error) func(*store) batcher.FlushFunc[record] {
	return func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			if ctx.Err() != nil && len(batch) > 0 {
				return change(err)
			}
			return err
		})
	}
}

var errPipe = errors.New("memory: broken pipe")

var brokenByContexts = []defect{{
	name:  "hangs after a cancellation",
	fails: all("Write has not returned within 1m0s", cancelled, deadline, wholeFirst),
	write: breaksOnCancellation(func(s *store, _ context.Context) error {
		<-s.quit
		return nil
	}),
}, {
	name:  "keeps a broken connection",
	fails: all("Write of 3 good items to a healthy target: memory: broken pipe", cancelled, deadline, wholeFirst),
	write: breaksOnCancellation(func(s *store, _ context.Context) error {
		s.setBroken(false)
		return errPipe
	}),
}, {
	name:  "takes what was cancelled as written",
	fails: all(isMissing, cancelled, deadline, wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			if keys, _ := encoded(batch); s.hanging() != nil && ctx.Err() != nil {
				s.learn(keys)
			}
			return err
		})
	},
}, {
	name:  "breaks the connection of other calls",
	fails: all("Write, while the context of another call ended: memory: memory: broken pipe", cancelled, deadline),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			shared, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			conn := s.connection()
			stop := context.AfterFunc(conn, func() { cancel(errPipe) })
			defer stop()
			err := s.write(shared, batch)
			if ctx.Err() != nil {
				s.disconnect()
				return fmt.Errorf("memory: %w", context.Cause(ctx))
			}
			return err
		}
	},
}}

// breaksOnCancellation returns a sink whose next call goes to next.
func breaksOnCancellation(next func(s *store, ctx context.Context) error) func(*store) batcher.FlushFunc[record] {
	return func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if s.isBroken() {
				return next(s, ctx)
			}
			err := s.write(ctx, batch)
			if ctx.Err() != nil && s.hanging() != nil {
				s.setBroken(true)
			}
			return err
		}
	}
}
