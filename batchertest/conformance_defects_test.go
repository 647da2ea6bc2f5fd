package batchertest_test

// Sinks with one defect each, and which checks find it.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
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
			if ctx.Err() == nil {
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
	name:  "breaks the connection of other calls",
	fails: all("the context of another call has ended, and this one fails: memory: memory: broken pipe", cancelled, deadline),
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

var badItemsWrong = []defect{{
	name: "fails the whole batch for a bad item",
	fails: and(all("and the error is permanent, not partial", badAlone, badOnly), "",
		inBatcher, wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if ctx.Err() == nil && hasBad(batch) {
				return batcher.Permanent(errStore)
			}
			return s.write(ctx, batch)
		}
	},
}, {
	name: "names the next item",
	fails: and(all("are bad, and the PartialError has entries for", badAlone),
		"the batcher has given up", inBatcher),
	write: changesBad(func(batch []record, bad map[int]error) error {
		moved := make(map[int]error)
		for i, err := range bad {
			moved[(i+1)%len(batch)] = err
		}
		return partial(moved)
	}),
}, {
	name:  "names one bad item of several",
	fails: all("are bad, and the PartialError has entries for [0]", badAlone, badOnly),
	write: changesBad(func(batch []record, bad map[int]error) error {
		if len(batch) == 6 { // those of the batcher are left alone
			return partial(bad)
		}
		first := slices.Min(slices.Collect(maps.Keys(bad)))
		return partial(map[int]error{first: bad[first]})
	}),
}, {
	name:  "does not say that a bad item is bad for good",
	fails: all("its entry is transient, not permanent", badAlone, badOnly),
	write: changesBad(func(_ []record, bad map[int]error) error {
		for i := range bad {
			bad[i] = errStore
		}
		return partial(bad)
	}),
}, {
	name:  "marks the whole as permanent for a bad item",
	fails: all("bears a mark besides those of its entries", badAlone, badOnly),
	write: changesBad(func(_ []record, bad map[int]error) error { return batcher.Permanent(partial(bad)) }),
}, {
	name:  "passes bad items over in silence",
	fails: and(all("the error is no error, not partial", badAlone, badOnly), "has given up []", inBatcher),
	write: changesBad(func([]record, map[int]error) error { return nil }),
}, {
	name:  "tells the password about a bad item",
	fails: all("tells the secret \"hunter2\"", badAlone, badOnly),
	write: changesBad(func(batch []record, bad map[int]error) error {
		if len(batch) != 6 {
			bad[0] = batcher.Permanent(fmt.Errorf("memory: login with %s", password))
		}
		return partial(bad)
	}),
}, {
	name:  "does not store the good items beside a bad one",
	fails: and(all(isMissing, badAlone, inBatcher), "Write did not wait", wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if _, bad := encoded(batch); len(bad) > 0 && ctx.Err() == nil {
				return partial(bad)
			}
			return s.write(ctx, batch)
		}
	},
}, {
	name:  "stores bad items too",
	fails: all(isForeign, badAlone, badOnly, inBatcher),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			for _, r := range batch {
				if r.bad() && ctx.Err() == nil {
					s.force(r.key())
				}
			}
			return err
		})
	},
}, {
	name:  "sends something for a batch of bad items",
	fails: all(isForeign, badOnly),
	write: changesBadOnly(func(s *store) error {
		s.force("")
		return nil
	}),
}, {
	name:  "works no more after a bad item",
	fails: and(all("the error is transient, not partial", badAlone, badOnly), "", inBatcher),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			if s.isBroken() {
				return errPipe
			}
			err := s.write(ctx, batch)
			if hasBad(batch) && ctx.Err() == nil {
				s.setBroken(true)
			}
			return err
		}
	},
}, {
	name:  "tells of the bad item only, though the others failed",
	fails: all("the error is partial", wholeFirst),
	write: joinsBad(func(_, bad error) error { return bad }),
}, {
	name:  "tells of the bad item as well, though the others failed",
	fails: all("the error is partial", wholeFirst),
	write: joinsBad(func(err, bad error) error { return errors.Join(err, bad) }),
}}

// changesBad returns a sink that reports bad items so, after it has stored the others.
func changesBad(report func(batch []record, bad map[int]error) error) func(*store) batcher.FlushFunc[record] {
	return func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			if _, bad := encoded(batch); len(bad) > 0 && ctx.Err() == nil {
				return report(batch, bad)
			}
			return err
		})
	}
}

// changesBadOnly returns a sink that does something with batches of bad items before it reports them.
func changesBadOnly(do func(s *store) error) func(*store) batcher.FlushFunc[record] {
	return func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			if keys, _ := encoded(batch); len(keys) == 0 && len(batch) > 0 && ctx.Err() == nil {
				if err := do(s); err != nil {
					return err
				}
			}
			return err
		})
	}
}

// joinsBad returns a sink that returns both of its errors, if there are two.
func joinsBad(join func(err, bad error) error) func(*store) batcher.FlushFunc[record] {
	return func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			if _, bad := encoded(batch); len(bad) > 0 && ctx.Err() != nil && s.hanging() != nil {
				return join(err, partial(bad))
			}
			return err
		})
	}
}

var emptyAndRepeated = []defect{{
	name:  "sends something for an empty batch",
	fails: all(isForeign, empty),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, ofSize(0), func(context.Context, []record) error {
			s.force("")
			return nil
		})
	},
}, {
	name:  "fails an empty batch",
	fails: all("Write of an empty batch: memory: the store says no", empty),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, ofSize(0), func(context.Context, []record) error { return errStore })
	},
}, {
	name:  "stores a repeated batch again",
	fails: all(isDoubled, again),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, s.knows, func(_ context.Context, batch []record) error {
			keys, _ := encoded(batch)
			s.force(keys...)
			return nil
		})
	},
}, {
	name:  "stores an item twice that is twice in a batch",
	fails: all(isDoubled, again),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(_ context.Context, batch []record, err error) error {
			if twins := twins(batch); len(twins) > 0 {
				s.force(twins...)
			}
			return err
		})
	},
}, {
	name:  "fails a batch in which an item is twice",
	fails: all("Write of 5 good items to a healthy target: memory: the store says no", again),
	write: func(s *store) batcher.FlushFunc[record] {
		return instead(s, func(batch []record) bool { return len(twins(batch)) > 0 },
			func(context.Context, []record) error { return errStore })
	},
}}

// twins returns the keys that are in batch again.
func twins(batch []record) (keys []string) {
	known := make(map[string]bool)
	for _, r := range batch {
		if known[r.key()] {
			keys = append(keys, r.key())
		}
		known[r.key()] = true
	}
	return keys
}

var goroutinesLeft = []defect{{
	name:  "leaves a goroutine for each call",
	fails: all("goroutines are left", writing...),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(_ context.Context, _ []record, err error) error {
			go func() { <-s.quit }()
			return err
		})
	},
}, {
	name:  "leaves a goroutine for each sink",
	fails: all("goroutines are left: 1\n\ngoroutine ", writing...),
	write: func(s *store) batcher.FlushFunc[record] {
		go func() { <-s.quit }()
		return s.write
	},
}, {
	name:  "leaves a goroutine for each cancelled call",
	fails: all("goroutines are left", cancelled, deadline, wholeFirst),
	write: func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, _ []record, err error) error {
			if ctx.Err() != nil && s.hanging() != nil {
				go func() { <-s.quit }()
			}
			return err
		})
	},
}}

var misclassified = []defect{
	answers("reset", nil, "the error is no error, not transient"),
	answers("reset", batcher.Permanent(errStore), "the error is permanent, not transient"),
	answers("reset", batcher.RetryAfter(errStore, 1), "the error is throttled, not transient"),
	answers("busy", errStore, "the error is transient, not throttled"),
	answers("busy", batcher.Permanent(errStore), "the error is permanent, not throttled"),
	answers("no such table", errStore, "the error is transient, not permanent"),
	answers("too large", batcher.Permanent(errStore), "the error is permanent, not too large"),
	answers("too large", errStore, "the error is transient, not too large"),
	answers("bad row", batcher.Permanent(errStore), "the error is permanent, not partial"),
	answers("bad row", &batcher.PartialError{}, "the error is transient, not partial"),
	answers("reset", fmt.Errorf("memory: login with %s", password), "the error tells the secret"),
	answers("reset", errors.New(" "), "the error has an empty text"),
	answers("bad row", &batcher.PartialError{Errs: map[int]error{3: batcher.Permanent(errors.New(""))}},
		"the entry of item 3 has an empty text"),
}

// answers returns a sink that makes err of this answer of the store.
func answers(answer string, err error, report string) defect {
	return defect{
		name:  fmt.Sprintf("makes %T of %s, so that %s", err, answer, report),
		fails: all(report, "failure: "+answer),
		classify: func(a string) error {
			if a == answer {
				return err
			}
			return classify(a)
		},
	}
}
