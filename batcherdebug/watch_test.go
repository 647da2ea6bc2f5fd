package batcherdebug

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestTextsAreCutAndSayThatTheyAre(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"a\x00\xffb":                       "a\x00\uFFFDb",
		strings.Repeat("é", 500):           strings.Repeat("é", 500),
		strings.Repeat("é", 501):           strings.Repeat("é", 499) + "…",
		strings.Repeat("😀", 500):           strings.Repeat("😀", 500),
		strings.Repeat("😀", 500) + "x":     strings.Repeat("😀", 499) + "…",
		strings.Repeat("\xff", 3000) + "x": "\uFFFD…",
	} {
		assert.Equal(t, want, cut(in))
	}
}

// hostile is an error whose methods panic when they are looked at.
type hostile struct{}

func (hostile) Error() string { panic("Error") }

func TestHostileNamesAndErrorsAreShownAsText(t *testing.T) {
	name := "<img src=x onerror=alert(1)>\n\xff" + strings.Repeat("é", 10_000)
	outcomes := []error{errors.New(name), hostile{}, errSink, errSink}
	b := start(t, func(context.Context, []int) error {
		defer func() { outcomes = outcomes[1:] }()
		return outcomes[0]
	}, batcher.WithName(name))
	p := show(t, b)
	for range len(outcomes) {
		assert.Error(t, b.AddWait(t.Context(), 1))
	}
	got := stats(t, p).Batchers[0]
	for _, text := range []string{got.Name, got.Errors[2].Text} {
		assert.True(t, utf8.ValidString(text))
		assert.True(t, strings.HasPrefix(text, "<img src=x onerror=alert(1)>\n\uFFFDé"))
		assert.Equal(t, 500, utf8.RuneCountInString(text))
		assert.True(t, strings.HasSuffix(text, "é…"))
	}
	assert.Equal(t, "(the methods of this error panic)", got.Errors[1].Text)
	assert.Equal(t, 2, got.Errors[0].Times, "the same in a row is one")
	assert.EqualValues(t, 4, got.Stats.FailedAttempts)
}

func TestTheLastErrorsAreKeptAndNoMore(t *testing.T) {
	n := 0
	b := start(t, func(context.Context, []int) error {
		n++
		return errors.New(strings.Repeat("x", n))
	})
	p := show(t, b)
	for range 25 {
		assert.Error(t, b.AddWait(t.Context(), 1))
	}
	got := stats(t, p).Batchers[0].Errors
	require.Len(t, got, 10)
	assert.Len(t, got[0].Text, 25)
	assert.Len(t, got[9].Text, 16)
}

func TestErrorsThatAlternateTakeAPlaceEach(t *testing.T) {
	n := 0
	b := start(t, func(context.Context, []int) error {
		n++
		return fmt.Errorf("shard %d is down", n%2)
	})
	p := show(t, b)
	for range 5 {
		assert.Error(t, b.AddWait(t.Context(), 1))
	}
	got := stats(t, p).Batchers[0].Errors
	require.Len(t, got, 2)
	assert.Equal(t, "shard 1 is down, 3 times", fmt.Sprintf("%s, %d times", got[0].Text, got[0].Times), "the newest first")
	assert.Equal(t, "shard 0 is down, 2 times", fmt.Sprintf("%s, %d times", got[1].Text, got[1].Times))
}

func TestAFailureOfSomeItemsIsNotOneOfAll(t *testing.T) {
	for name, c := range map[string]struct {
		errs  map[int]error
		state State
	}{
		"one of two":       {map[int]error{1: errSink}, Flaky},
		"and a nil":        {map[int]error{0: nil, 1: errSink}, Flaky},
		"both":             {map[int]error{0: errSink, 1: errSink}, Failing},
		"one that is none": {map[int]error{2: errSink}, Failing},
		"only a nil":       {map[int]error{0: nil}, Failing},
		"nothing":          {nil, Failing},
	} {
		b := start(t, func(context.Context, []int) error {
			return fmt.Errorf("sink: %w", &batcher.PartialError{Errs: c.errs})
		}, batcher.WithMaxSize(2))
		p := show(t, b)
		_, err := b.AddAll(t.Context(), []int{1, 2})
		require.NoError(t, err)
		_ = b.Flush(t.Context())
		got := stats(t, p).Batchers[0]
		assert.Equal(t, c.state, got.State, name)
		assert.Equal(t, 1, got.Recent.Failed, name)
	}
}

func TestAFailureOfSomeKeysIsNotOneOfAll(t *testing.T) {
	errs := map[string]error{"a": errSink}
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error { return &batcher.PartialKeyError[string]{Errs: errs} })
	require.NoError(t, err)
	p := show(t, combiner)
	for key, want := range map[string]State{"b": Flaky, "a": Failing} {
		p.latest = nil
		require.NoError(t, combiner.Add(t.Context(), "a", 1))
		require.NoError(t, combiner.Add(t.Context(), key, 1))
		_ = combiner.Flush(t.Context())
		assert.Equal(t, want, stats(t, p).Batchers[0].State, key)
	}
	require.NoError(t, combiner.Close(t.Context()))
}

func TestAPartialErrorOfTheOtherKindIsOneOfAll(t *testing.T) {
	b := start(t, func(context.Context, []int) error {
		return &batcher.PartialKeyError[string]{Errs: map[string]error{"a": errSink}}
	}, batcher.WithMaxSize(2))
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error {
			return &batcher.PartialError{Errs: map[int]error{0: errSink}}
		})
	require.NoError(t, err)
	p := show(t, b, combiner)
	for _, key := range []string{"a", "b"} {
		require.NoError(t, b.Add(t.Context(), 1))
		require.NoError(t, combiner.Add(t.Context(), key, 1))
	}
	_ = b.Flush(t.Context())
	_ = combiner.Close(t.Context())
	for _, got := range stats(t, p).Batchers {
		assert.Equal(t, Failing, got.State, got.FrontEnd)
		assert.EqualValues(t, 2, got.Stats.Failed, got.FrontEnd)
	}
}

func TestAFlushThatHangsIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		b := start(t, func(_ context.Context, batch []int) error {
			if batch[0] == 2 {
				<-hold
			}
			return nil
		}, batcher.WithMaxDelay(10*time.Minute), batcher.WithMaxSize(2), batcher.WithFlushTimeout(time.Minute))
		p := show(t, b)
		for i := range 4 {
			require.NoError(t, b.Add(t.Context(), i))
		}
		time.Sleep(time.Minute)
		assert.Equal(t, Flowing, stats(t, p).Batchers[0].State)
		time.Sleep(time.Minute)
		got := stats(t, p).Batchers[0]
		assert.Equal(t, Stuck, got.State)
		assert.Equal(t, "a flush has been running for 2m0s; 1 of 1 worker is at work", got.Verdict)
		close(hold)
		time.Sleep(time.Second)
		assert.Equal(t, Flowing, stats(t, p).Batchers[0].State)
		assert.Empty(t, p.watched[0].running)
	})
}

func TestAttemptsThatFailLeaveNothingRunning(t *testing.T) {
	outcomes := []func() error{
		func() error { panic("boom") },
		func() error { runtime.Goexit(); return nil },
		func() error { return &batcher.PartialError{Errs: map[int]error{0: errSink}} },
	}
	n := 0
	b := start(t, func(context.Context, []int) error { n++; return outcomes[n%len(outcomes)]() },
		batcher.WithMaxSize(4), batcher.WithBisect(), batcher.WithRetry(3, func(int) time.Duration { return 0 }))
	p := show(t, b)
	for i := range 40 {
		require.NoError(t, b.Add(t.Context(), i))
	}
	_ = b.Flush(t.Context())
	assert.Empty(t, p.watched[0].running)
	assert.Greater(t, stats(t, p).Batchers[0].Stats.Attempts, int64(10))
}
