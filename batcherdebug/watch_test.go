package batcherdebug

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
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
		"one that is none": {map[int]error{0: errSink, 2: errSink}, Failing},
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
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error {
			return &batcher.PartialKeyError[string]{Errs: map[string]error{"a": errSink}}
		})
	require.NoError(t, err)
	p := show(t, combiner)
	require.NoError(t, combiner.Add(t.Context(), "a", 1))
	require.NoError(t, combiner.Add(t.Context(), "b", 1))
	_ = combiner.Close(t.Context())
	assert.Equal(t, Flaky, stats(t, p).Batchers[0].State)
}
