package batchertest_test

// Sinks with one defect each: bad and repeated items, goroutines, marks.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

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
	fails: all("tells the secret \"hunter2\"", badAlone, badOnly, inBatcher),
	write: changesBad(func(_ []record, bad map[int]error) error {
		for i := range bad {
			bad[i] = batcher.Permanent(fmt.Errorf("memory: login with %s", password))
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
	name:  "loses the batch after a bad item",
	fails: and(all(isMissing, badAlone, badOnly), "", inBatcher),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			switch err := s.write(ctx, batch); {
			case hasBad(batch):
				s.setBroken(ctx.Err() == nil)
				return err
			case s.isBroken():
				s.setBroken(false)
				s.forget(batch)
				return err
			default:
				return err
			}
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
	name:  "stores again what is known of a batch that is new in part",
	fails: all(isDoubled, again),
	write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			var known []string
			for _, r := range batch {
				if !s.knows(batch) && s.knows([]record{r}) {
					known = append(known, r.key())
				}
			}
			s.force(known...)
			return s.write(ctx, batch)
		}
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
