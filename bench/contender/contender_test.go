package contender_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/workload"
)

var settings = contender.Settings{MaxSize: 100, MaxDelay: 5 * time.Millisecond, Workers: 2, Queue: 4}

// wide is a struct of 64 bytes.
type wide [8]int64

var (
	numbers  = workload.Payload[int64]{Name: "int64", Make: func(n int) int64 { return int64(n) }, Number: func(i int64) int { return int(i) }}
	structs  = workload.Payload[wide]{Name: "struct64", Make: func(n int) wide { return wide{7: int64(n)} }, Number: func(w wide) int { return int(w[7]) }}
	pointers = workload.Payload[*wide]{Name: "pointer", Make: func(n int) *wide { return &wide{int64(n)} }, Number: func(w *wide) int { return int(w[0]) }}
)

func TestEveryContenderDeliversEachItemOnceAndKeepsToTheSize(t *testing.T) {
	verifyAll(t, contender.All[int64](), numbers)
	verifyAll(t, contender.All[wide](), structs)
	verifyAll(t, contender.All[*wide](), pointers)
}

func verifyAll[T any](t *testing.T, all []contender.Contender[T], payload workload.Payload[T]) {
	for _, c := range all {
		for _, producers := range []int{1, 8} {
			t.Run(fmt.Sprintf("%s/%s/%d", c.Name, payload.Name, producers), func(t *testing.T) {
				assert.NoError(t, workload.Verify(t.Context(), c.New, settings, producers, payload))
			})
		}
	}
}

func TestAnAppendIsVerifiedWithOneProducer(t *testing.T) {
	c := contender.Floors[wide]()[0]
	require.Equal(t, 1, c.Producers)
	assert.NoError(t, workload.Verify(t.Context(), c.New, settings, 1, structs))
}

func TestAnAtomicAdditionDeliversAsManyItems(t *testing.T) {
	c := contender.Floors[int64]()[1]
	require.True(t, c.Hollow)
	var got atomic.Int64
	q, err := c.New(settings, func(_ context.Context, batch []int64) error {
		got.Add(int64(len(batch)))
		return nil
	})
	require.NoError(t, err)
	for i := range 1234 {
		require.NoError(t, q.Add(t.Context(), int64(i)))
	}
	require.NoError(t, q.Close(t.Context()))
	assert.EqualValues(t, 1234, got.Load())
}

// TestWhoSaysThatFailuresAreReportedReportsThem waits for the report; one that never comes is a test that
// never ends.
func TestWhoSaysThatFailuresAreReportedReportsThem(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range contender.All[int64]() {
		if c.Reports == "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			reported := make(chan error, 10)
			s := settings
			s.Report = func(err error) { reported <- err }
			q, err := c.New(s, func(context.Context, []int64) error { return broken })
			require.NoError(t, err)
			require.NoError(t, q.Add(t.Context(), 1))
			require.NoError(t, q.Close(t.Context()))
			assert.ErrorIs(t, <-reported, broken)
		})
	}
}

func TestThisLibraryTriesAgainWhereItIsAsked(t *testing.T) {
	for _, c := range contender.All[int64]()[:2] {
		s := settings
		s.Attempts = 3
		calls := 0
		q, err := c.New(s, func(context.Context, []int64) error {
			if calls++; calls < 3 {
				return errors.New("broken")
			}
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, q.Add(t.Context(), 1))
		require.NoError(t, q.Close(t.Context()))
		assert.Equal(t, 3, calls)
	}
}

func TestEachContenderSaysWhoItIs(t *testing.T) {
	seen := make(map[string]bool)
	all := append(contender.All[string](), contender.Floors[string]()...)
	for i, c := range all {
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`), c.Name)
		assert.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		assert.Equal(t, c.Kind == contender.Library, c.Module != "", c.Name)
		assert.Equal(t, i < 2, c.Kind == contender.Ours, "ours come first")
		for _, u := range c.Unable {
			assert.Regexp(t, regexp.MustCompile(`^(MaxSize|MaxDelay|Workers|Queue|items): .`), u, c.Name)
		}
	}
}

func TestAContenderIsFoundByItsName(t *testing.T) {
	c, ok := contender.Find[int]("eapache")
	require.True(t, ok)
	assert.Equal(t, "eapache", c.Name)
	assert.True(t, c.CannotDo("MaxSize"))
	assert.False(t, c.CannotDo("MaxDelay"))
	_, ok = contender.Find[int]("nobody")
	assert.False(t, ok)
}
