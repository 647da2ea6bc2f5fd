package batchertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
)

// reported is a testing.TB that notes what is reported, instead of failing.
type reported struct {
	testing.TB
	errors []string
}

// abandoned is what Fatal panics with.
type abandoned struct{ text string }

func (r *reported) Error(args ...any) { r.errors = append(r.errors, fmt.Sprint(args...)) }
func (r *reported) Fatal(args ...any) { panic(abandoned{fmt.Sprint(args...)}) }
func (r *reported) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// check returns what CheckNoRetention reports.
func check[T any](t *testing.T, flush batcher.FlushFunc[T], items ...T) []string {
	t.Helper()
	r := &reported{TB: t}
	batchertest.CheckNoRetention(r, flush, items...)
	return r.errors
}

const keptReport = "batchertest: CheckNoRetention: the flush function has returned, " +
	"and something still refers to its slice"

// keep holds what the bad flush functions keep. Each test has its own, so that the next one does
// not set it free.
type keep[T any] struct {
	slice   []T
	element *T
	later   func() int
	any     any
	batches [][]T
}

func TestCheckNoRetentionFindsWhatIsKept(t *testing.T) {
	var k keep[int]
	bad := map[string]func(batch []int){
		"the slice":       func(batch []int) { k.slice = batch },
		"a part":          func(batch []int) { k.slice = batch[1:2] },
		"an empty part":   func(batch []int) { k.slice = batch[:0] },
		"an element":      func(batch []int) { k.element = &batch[1] },
		"in a closure":    func(batch []int) { k.later = func() int { return batch[0] } },
		"in an interface": func(batch []int) { k.any = batch },
		"in a slice":      func(batch []int) { k.batches = append(k.batches, batch) },
	}
	for name, flush := range bad {
		t.Run(name, func(t *testing.T) {
			k = keep[int]{}
			assert.Equal(t, []string{keptReport}, check(t, func(_ context.Context, batch []int) error {
				flush(batch)
				return nil
			}, 1, 2, 3))
			assert.NotContains(t, k.readable(), 1, "the slice was cleared")
			assert.NotContains(t, k.readable(), 2)
		})
	}
}

// readable returns all that k can still read.
func (k *keep[T]) readable() (items []any) {
	for _, item := range slices.Concat(append(k.batches, k.slice)...) {
		items = append(items, item)
	}
	if k.element != nil {
		items = append(items, *k.element)
	}
	if k.later != nil {
		items = append(items, k.later())
	}
	return append(items, k.any)
}

func TestCheckNoRetentionFindsAGoroutineThatStillWorks(t *testing.T) {
	stop, late := make(chan struct{}), make(chan []int)
	errs := check(t, func(_ context.Context, batch []int) error {
		go func() {
			<-stop
			late <- slices.Clone(batch)
		}()
		return nil
	}, 1, 2)
	assert.Equal(t, []string{keptReport}, errs)
	close(stop)
	assert.Equal(t, []int{0, 0}, <-late, "what it writes now is worthless")
}

func TestCheckNoRetentionFindsEveryKindOfItem(t *testing.T) {
	t.Run("byte", func(t *testing.T) { testKind[byte](t, 1) })
	t.Run("one byte of many", func(t *testing.T) { testKind(t, make([]byte, 1000)...) })
	t.Run("string", func(t *testing.T) { testKind(t, "a", "b") })
	t.Run("pointer", func(t *testing.T) { testKind(t, new(int), nil) })
	t.Run("interface", func(t *testing.T) { testKind[any](t, 1, "a") })
	t.Run("struct", func(t *testing.T) { testKind(t, [40]int64{1}, [40]int64{2}) })
	t.Run("large", func(t *testing.T) { testKind(t, make([][40]int64, 500)...) })
}

// testKind checks functions that keep the slice, and the items.
func testKind[T any](t *testing.T, items ...T) {
	var k keep[T]
	assert.Equal(t, []string{keptReport},
		check(t, func(_ context.Context, batch []T) error { k.slice = batch; return nil }, items...))
	require.Len(t, k.slice, len(items))
	k.slice = nil
	var stored []T
	assert.Empty(t, check(t, func(_ context.Context, batch []T) error {
		stored = append(stored, batch...)
		return nil
	}, items...))
	assert.Equal(t, items, stored)
}

func TestCheckNoRetentionPassesWhatIsAllowed(t *testing.T) {
	var (
		sink    = batchertest.NewSink[int]()
		encoded []byte
		pool    sync.Pool
		work    = make(chan func())
	)
	defer close(work)
	go func() {
		for f := range work {
			f()
		}
	}()
	good := map[string]batcher.FlushFunc[int]{
		"nothing": func(context.Context, []int) error { return nil },
		"a sink":  sink.Write,
		"sorting, overwriting, appending": func(_ context.Context, batch []int) error {
			slices.Sort(batch)
			batch[0] = 7
			_ = append(batch, 8)
			return nil
		},
		"encoding": func(_ context.Context, batch []int) (err error) {
			encoded, err = json.Marshal(batch)
			return err
		},
		"goroutines that were waited for": func(_ context.Context, batch []int) error {
			var wg sync.WaitGroup
			for i := range batch {
				wg.Go(func() { batch[i]++ })
			}
			wg.Wait()
			return nil
		},
		"a worker that was waited for": func(_ context.Context, batch []int) error {
			done := make(chan struct{})
			work <- func() { batch[0]++; close(done) }
			<-done
			return nil
		},
		"the context": func(ctx context.Context, batch []int) error {
			context.AfterFunc(ctx, func() {})
			return context.Cause(ctx)
		},
		"scratch in a pool": func(_ context.Context, batch []int) error {
			pool.Put(&batch)
			return nil
		},
	}
	for name, flush := range good {
		t.Run(name, func(t *testing.T) { assert.Empty(t, check(t, flush, 3, 1, 2)) })
	}
	assert.Equal(t, "[3,1,2]", string(encoded))
	assert.Equal(t, []int{3, 1, 2}, sink.Items())
}

func TestCheckNoRetentionLeavesTheCallersItemsAlone(t *testing.T) {
	items := []int{3, 1, 2}
	assert.Empty(t, check(t, func(_ context.Context, batch []int) error {
		assert.Len(t, batch, 3)
		assert.Equal(t, 3, cap(batch))
		slices.Sort(batch)
		return nil
	}, items...))
	assert.Equal(t, []int{3, 1, 2}, items)
}

func TestCheckNoRetentionReportsAFailure(t *testing.T) {
	var k keep[int]
	errs := check(t, func(_ context.Context, batch []int) error { k.slice = batch; return errDown }, 1)
	assert.Equal(t, []string{
		"batchertest: CheckNoRetention: the flush function failed: database down", keptReport,
	}, errs)
	assert.Len(t, k.slice, 1)
	assert.PanicsWithValue(t, abandoned{"batchertest: CheckNoRetention: no items"}, func() {
		check(t, func(context.Context, []int) error { return nil })
	})
}

func TestCheckNoRetentionEndsTheContext(t *testing.T) {
	var kept context.Context
	check(t, func(ctx context.Context, _ []int) error { kept = ctx; return ctx.Err() }, 1)
	assert.ErrorIs(t, kept.Err(), context.Canceled)
}

func TestItemsWithoutSizeCannotBeKept(t *testing.T) {
	var k keep[struct{}]
	assert.Empty(t, check(t, func(_ context.Context, batch []struct{}) error {
		k.slice = batch
		return nil
	}, struct{}{}))
	assert.Len(t, k.slice, 1)
}

func TestCheckNoRetentionWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := batchertest.NewSink[int]()
		sink.Delay(time.Hour)
		assert.Empty(t, check(t, sink.Write, 1))
		var k keep[int]
		assert.NotEmpty(t, check(t, func(_ context.Context, batch []int) error {
			k.slice = batch
			return nil
		}, 1))
		assert.Len(t, k.slice, 1)
	})
}

// lazyStore is a flush function with the fault: it writes the batch after having returned.
type lazyStore struct {
	kept [][]string
}

func (s *lazyStore) Insert(_ context.Context, batch []string) error {
	s.kept = append(s.kept, batch)
	return nil
}

func (s *lazyStore) rows() string { return strings.Join(slices.Concat(s.kept...), " ") }

func TestPoisonShowsInWhatWasKept(t *testing.T) {
	var store lazyStore
	b, err := batcher.New(batchertest.Poison(store.Insert, "poison"), batcher.WithMaxSize(2))
	require.NoError(t, err)
	_, err = b.AddAll(t.Context(), []string{"a", "b", "c"})
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
	assert.Equal(t, "poison poison poison", store.rows())
}

func TestPoisonChangesNothingElse(t *testing.T) {
	inBubble(t, func(t *testing.T, sink *batchertest.Sink[int]) {
		var own []int
		sink.FailWith(func(_ context.Context, batch []int) error {
			own = batch
			assert.Len(t, batch, 2)
			assert.Equal(t, 2, cap(batch))
			return nil
		})
		write := batchertest.Poison(sink.Write, -1)
		batch := []int{1, 2}
		require.NoError(t, write(t.Context(), batch))
		assert.Equal(t, []int{1, 2}, batch, "the slice of the caller is not the one that goes bad")
		assert.Equal(t, []int{-1, -1}, own)
		assert.Equal(t, []int{1, 2}, sink.Items())

		sink.FailNext(1, errDown)
		assert.Equal(t, errDown, write(t.Context(), batch))
		sink.FailWith(func(_ context.Context, batch []int) error { own = batch; panic("boom") })
		assert.PanicsWithValue(t, "boom", func() { _ = write(t.Context(), batch) })
		assert.Equal(t, []int{1, 2}, own, "after a panic the slice is left alone")
	})
}
