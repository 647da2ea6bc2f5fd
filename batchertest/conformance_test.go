package batchertest_test

// The conformance suite: a correct sink passes, and each defect is found by the checks for it.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

// The checks, by name.
const (
	once       = "every item of a batch is stored once"
	empty      = "an empty batch is nothing"
	huge       = "a huge batch is stored whole"
	kept       = "the slice is not kept"
	late       = "the slice may be overwritten after the call"
	atOnce     = "calls at once do not disturb one another"
	ended      = "a context that has ended stores nothing"
	cancelled  = "a context cancelled in mid-write ends the call"
	deadline   = "a deadline that passes in mid-write ends the call"
	inBatcher  = "the items of a batcher are stored once"
	order      = "items are stored in order"
	badAlone   = "bad items fail alone"
	badOnly    = "a batch of bad items stores nothing"
	wholeFirst = "a bad item does not hide the failure of the others"
	again      = "an item written twice is stored once"

	badRow   = "failure: bad row"
	tooLarge = "failure: too large"
	noTable  = "failure: no such table"
	busy     = "failure: busy"
	reset    = "failure: reset"
)

// writing are the checks that write to a target of their own.
var writing = []string{
	once, empty, huge, kept, late, atOnce, ended, cancelled, deadline, inBatcher, order, badAlone, badOnly,
	wholeFirst, again,
}

func TestACorrectSinkPasses(t *testing.T) { batchertest.TestSink(t, goodSink()) }

func TestEachCheckHasATargetOfItsOwn(t *testing.T) {
	var opened, closed, provoked int
	sink := goodSink()
	open := sink.Open
	sink.Open = func(t testing.TB) batchertest.Target[record] {
		opened++
		target := open(t)
		target.Close = func() { closed++ }
		return target
	}
	for i, f := range sink.Failures {
		sink.Failures[i].Provoke = func(t testing.TB) error {
			provoked++
			return f.Provoke(t)
		}
	}
	batchertest.TestSink(t, sink)
	assert.Equal(t, 1+len(writing), opened, "one to start what all share")
	assert.Equal(t, opened, closed)
	assert.Equal(t, len(sink.Failures), provoked)
}

// TestADefectFailsTheTestOfTheSink runs itself again, in a process that has to fail.
func TestADefectFailsTheTestOfTheSink(t *testing.T) {
	const inner = "BATCHERTEST_INNER"
	switch os.Getenv(inner) {
	case "a defect":
		sink := goodSink()
		sink.Failures[4].Want = batchertest.Permanent
		batchertest.TestSink(t, sink)
		return
	case "no item":
		sink := goodSink()
		sink.Item = nil
		batchertest.TestSink(t, sink)
		return
	}
	for fault, says := range map[string]string{
		"a defect": "the error is transient, not permanent: memory: the store says no",
		"no item":  "batchertest: TestSink: SinkTest.Item is nil",
	} {
		inside := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		inside.Env = append(os.Environ(), inner+"="+fault)
		output, err := inside.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, 1, exit.ExitCode())
		assert.Contains(t, string(output), says)
	}
}

func TestTheSinkOfTheExamplePasses(t *testing.T) { testJournal(t) }

func TestTheHugeBatchHasTenThousandItemsUnlessTheTestSaysOtherwise(t *testing.T) {
	for size, want := range map[int]int{0: 10_000, 1: 1, 1500: 1500} {
		largest := 0
		sink := defect{write: func(s *store) batcher.FlushFunc[record] {
			return func(ctx context.Context, batch []record) error {
				largest = max(largest, len(batch))
				return s.write(ctx, batch)
			}
		}}.sink(newStore)
		sink.Huge = size
		assert.Empty(t, recorded(t, batchertest.SinkChecks(sink)[huge]).reports)
		assert.Equal(t, max(want, 3), largest, "and one of 3")
	}
}

func TestTheSuiteHasTheChecksThatItsTestsNameAndNoOther(t *testing.T) {
	all := append([]string{badRow, tooLarge, noTable, busy, reset}, writing...)
	assert.ElementsMatch(t, all, slices.Collect(maps.Keys(batchertest.SinkChecks(goodSink()))))
}

func TestWhatASinkDoesNotHaveIsNotChecked(t *testing.T) {
	sink := goodSink()
	sink.BadItem, sink.Spoil, sink.Idempotent, sink.Ordered, sink.Failures = nil, nil, false, false, nil
	names := slices.Collect(maps.Keys(batchertest.SinkChecks(sink)))
	assert.ElementsMatch(t, []string{
		once, empty, huge, kept, late, atOnce, ended, cancelled, deadline, inBatcher,
	}, names)
	batchertest.TestSink(t, sink)
}

func TestATargetThatCannotHangSkipsTheChecksOfIt(t *testing.T) {
	sink := goodSink()
	open := sink.Open
	sink.Open = func(t testing.TB) batchertest.Target[record] {
		target := open(t)
		target.Hang = nil
		return target
	}
	for name, check := range batchertest.SinkChecks(sink) {
		r := recorded(t, check)
		assert.Equal(t, slices.Contains([]string{cancelled, deadline, wholeFirst}, name), r.skipped, name)
		assert.Empty(t, r.reports, name)
	}
}

func TestEachDefectOfASinkIsFoundByItsChecks(t *testing.T) {
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			found := make(map[string][]string)
			for name := range batchertest.SinkChecks(d.sink(newStore)) {
				if reports := d.reports(t, name); len(reports) > 0 {
					found[name] = reports
				}
			}
			require.ElementsMatch(t, slices.Collect(maps.Keys(d.fails)), slices.Collect(maps.Keys(found)), "%q", found)
			for name, reports := range found {
				assert.Contains(t, reports[0], d.fails[name], name)
			}
		})
	}
}

// correct are sinks that do what is left to a sink.
var correct = map[string]func(s *store) batcher.FlushFunc[record]{
	"overwrites the slice": func(s *store) batcher.FlushFunc[record] {
		return after(s, func(_ context.Context, batch []record, err error) error {
			clear(batch)
			return err
		})
	},
	"has an entry that is nil for each good item beside a bad one": changesBad(
		func(batch []record, bad map[int]error) error {
			for i := range batch {
				bad[i] = errors.Join(bad[i]) // nil stays nil
			}
			return partial(bad)
		}),
	"joins and wraps its errors": func(s *store) batcher.FlushFunc[record] {
		return after(s, func(_ context.Context, _ []record, err error) error {
			if err == nil {
				return nil
			}
			return fmt.Errorf("memory: %w", errors.Join(errStore, err))
		})
	},
	"has sent what it gives up": func(s *store) batcher.FlushFunc[record] {
		return after(s, func(ctx context.Context, batch []record, err error) error {
			keys, _ := encoded(batch)
			if hung := s.hanging(); err != nil && hung != nil {
				go func() {
					<-hung
					_ = s.put(context.Background(), keys...)
				}()
			}
			return err
		})
	},
	"holds the first slice, as a goroutine does that has just been started": func(s *store) batcher.FlushFunc[record] {
		return after(s, func(_ context.Context, batch []record, err error) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.pending) == 0 {
				s.pending = append(s.pending, batch)
			}
			return err
		})
	},
}

func TestWhatIsLeftToASinkIsNoDefect(t *testing.T) {
	for name, write := range correct {
		d := defect{write: write}
		for check := range batchertest.SinkChecks(d.sink(newStore)) {
			assert.Empty(t, d.reports(t, check), "%s: %s", name, check)
		}
		// What was cancelled is not written again if the sink is not said to be idempotent.
		sink := d.sink(newStore)
		sink.Idempotent = false
		assert.Empty(t, recorded(t, batchertest.SinkChecks(sink)[wholeFirst]).reports, name)
	}
}

// Without Spoil, it is the elements of the slice that tell.
func TestALateReadIsFoundByTheSliceToo(t *testing.T) {
	sink := defect{
		write: func(s *store) batcher.FlushFunc[record] {
			return putOff(s, func(batch []record) []record { return batch })
		},
		stored: storePending,
	}.sink(newStore)
	sink.Spoil = nil
	reports := recorded(t, batchertest.SinkChecks(sink)[late]).reports
	require.Len(t, reports, 2)
	assert.Contains(t, reports[0], isMissing)
	assert.Contains(t, reports[1], isForeign)
}

func TestAReportSaysHowManyAndWhich(t *testing.T) {
	loses := defect{write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error { return s.write(ctx, batch[:len(batch)/2]) }
	}}
	assert.Equal(t, []string{
		"items that are missing, though Write reported them as written: 752 of 1503 wanted, such as " +
			`["record 1000" "record 1001" "record 1002" "record 1003" "record 1004"]`,
	}, loses.reports(t, huge))
}

// A check that has failed leaves nothing behind, and closes the target when nobody uses it.
func TestCallsEndBeforeTheTargetIsClosed(t *testing.T) {
	for name := range batchertest.SinkChecks(goodSink()) {
		synctest.Test(t, func(t *testing.T) {
			var running atomic.Int32
			var atClose []int32
			hangs := defect{write: func(*store) batcher.FlushFunc[record] {
				return func(ctx context.Context, _ []record) error {
					running.Add(1)
					defer running.Add(-1)
					<-ctx.Done()
					return context.Cause(ctx)
				}
			}}.sink(newStore)
			open := hangs.Open
			hangs.Open = func(t testing.TB) batchertest.Target[record] {
				target := open(t)
				target.Close = func() {
					synctest.Wait()
					atClose = append(atClose, running.Load())
				}
				return target
			}
			begin := time.Now()
			if name != kept { // where it is the test's own context that ends the call
				recorded(t, batchertest.SinkChecks(hangs)[name])
			}
			for _, n := range atClose {
				assert.Zero(t, n, name)
			}
			assert.LessOrEqual(t, time.Since(begin), 61*time.Second, name)
		})
	}
}

// reports runs one check in a bubble, in which patience costs no time.
func (d defect) reports(t *testing.T, name string) (reports []string) {
	synctest.Test(t, func(t *testing.T) {
		quit := make(chan struct{})
		sink := d.sink(func() *store {
			s := newStore()
			s.quit = quit
			return s
		})
		reports = recorded(t, batchertest.SinkChecks(sink)[name]).reports
		close(quit)
	})
	return reports
}

func TestADescriptionThatIsIncompleteIsRefused(t *testing.T) {
	for says, spoil := range map[string]func(*batchertest.SinkTest[record]){
		"SinkTest.Open is nil":                                func(s *batchertest.SinkTest[record]) { s.Open = nil },
		"SinkTest.Item is nil":                                func(s *batchertest.SinkTest[record]) { s.Item = nil },
		"SinkTest.Key is nil":                                 func(s *batchertest.SinkTest[record]) { s.Key = nil },
		"SinkTest.Huge is -1":                                 func(s *batchertest.SinkTest[record]) { s.Huge = -1 },
		"SinkTest.Secrets[1] is empty":                        func(s *batchertest.SinkTest[record]) { s.Secrets = []string{"a", ""} },
		"SinkTest.Failures[0] has no Name":                    func(s *batchertest.SinkTest[record]) { s.Failures[0].Name = "" },
		`SinkTest.Failures[1] ("too large") has no Provoke`:   func(s *batchertest.SinkTest[record]) { s.Failures[1].Provoke = nil },
		`SinkTest.Failures[1] ("too large") wants Verdict(7)`: func(s *batchertest.SinkTest[record]) { s.Failures[1].Want = 7 },
		`SinkTest.Failures[1] ("too large") wants no error`:   func(s *batchertest.SinkTest[record]) { s.Failures[1].Want = 0 },
	} {
		sink := goodSink()
		spoil(&sink)
		r := recorded(t, func(t testing.TB) { batchertest.MustBeComplete(t, sink) })
		assert.Equal(t, []string{"batchertest: TestSink: " + says}, r.reports)
	}
	r := recorded(t, func(t testing.TB) { batchertest.MustBeComplete(t, batchertest.SinkTest[record]{Huge: -1}) })
	assert.Equal(t, []string{"batchertest: TestSink: SinkTest.Open is nil\nbatchertest: TestSink: SinkTest.Item is nil\n" +
		"batchertest: TestSink: SinkTest.Key is nil\nbatchertest: TestSink: SinkTest.Huge is -1"}, r.reports)
}

func TestATargetThatIsIncompleteIsRefused(t *testing.T) {
	for says, spoil := range map[string]func(*batchertest.Target[record]){
		"Write":  func(target *batchertest.Target[record]) { target.Write = nil },
		"Stored": func(target *batchertest.Target[record]) { target.Stored = nil },
		"Close":  func(target *batchertest.Target[record]) { target.Close = nil },
	} {
		sink := goodSink()
		open := sink.Open
		sink.Open = func(t testing.TB) batchertest.Target[record] {
			target := open(t)
			spoil(&target)
			return target
		}
		r := recorded(t, batchertest.SinkChecks(sink)[once])
		assert.Equal(t, []string{"batchertest: TestSink: Target." + says + " is nil"}, r.reports)
	}
}

func TestItemsWithOneKeyAreRefused(t *testing.T) {
	sink := goodSink()
	sink.Item = func(i int) record { return recordNo(i / 2) }
	r := recorded(t, batchertest.SinkChecks(sink)[huge])
	assert.Equal(t, []string{
		`batchertest: TestSink: SinkTest.Item: items 0 and 1 have the same key "record 0"`,
	}, r.reports)
}

func TestAGoroutineGetsTimeToEnd(t *testing.T) {
	for seconds, says := range map[int]string{1: "", 9: "", 12: "goroutines are left: 1\n\ngoroutine "} {
		ends := defect{write: func(s *store) batcher.FlushFunc[record] {
			go func() {
				select {
				case <-s.quit:
				case <-time.After(time.Duration(seconds) * time.Second):
				}
			}()
			return s.write
		}}
		reports := strings.Join(ends.reports(t, empty), "")
		assert.Equal(t, says != "", reports != "", seconds)
		assert.Contains(t, reports, says)
	}
}

func TestWhatTheCleanupsOfACheckEndIsNotLeft(t *testing.T) {
	sink := goodSink()
	start := func(t testing.TB) {
		quit := make(chan struct{})
		go func() { <-quit }()
		t.Cleanup(func() { close(quit) })
	}
	open, provoke := sink.Open, sink.Failures[0].Provoke
	sink.Open = func(t testing.TB) batchertest.Target[record] {
		start(t)
		return open(t)
	}
	sink.Failures[0].Provoke = func(t testing.TB) error {
		start(t)
		return provoke(t)
	}
	for _, name := range []string{empty, badRow} {
		assert.Empty(t, recorded(t, batchertest.SinkChecks(sink)[name]).reports)
	}
}

func TestWhatAProvokedFailureLeavesIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quit := make(chan struct{})
		leaks := defect{classify: func(answer string) error {
			go func() { <-quit }()
			return classify(answer)
		}}
		reports := recorded(t, batchertest.SinkChecks(leaks.sink(newStore))[reset]).reports
		close(quit)
		require.Len(t, reports, 1)
		assert.Contains(t, reports[0], "goroutines are left: 1")
	})
}

func TestWhatAllTargetsShareIsNotLeft(t *testing.T) {
	quit := make(chan struct{})
	defer close(quit)
	serve := sync.OnceFunc(func() { go func() { <-quit }() })
	batchertest.TestSink(t, defect{write: func(s *store) batcher.FlushFunc[record] {
		return func(ctx context.Context, batch []record) error {
			serve()
			return s.write(ctx, batch)
		}
	}}.sink(newStore))
}

func TestAFailedCheckSaysNothingOfGoroutines(t *testing.T) {
	for _, report := range (defect{write: func(s *store) batcher.FlushFunc[record] {
		go func() { <-s.quit }()
		return func(context.Context, []record) error { return errStore }
	}}).reports(t, once) {
		assert.NotContains(t, report, "goroutine")
	}
}
