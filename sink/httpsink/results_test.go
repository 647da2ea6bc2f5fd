package httpsink_test

// Results per item.

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

func TestTheFunctionOfWithResultsSeesTheAnswer(t *testing.T) {
	_, url := record(t, func(w http.ResponseWriter, _ *request, n int) {
		w.Header().Set("X-N", fmt.Sprint(n))
		w.WriteHeader(207)
		fmt.Fprint(w, strings.Repeat("x", n))
	})
	var seen []string
	sink := open[int](t, url, numbers, httpsink.WithResults(func(resp *httpsink.Response, n int) error {
		seen = append(seen, fmt.Sprint(resp.Status, resp.Header["X-N"], string(resp.Body), n))
		return nil
	}))
	require.NoError(t, sink.Write(t.Context(), []int{1, 2}))
	assert.Equal(t, "partial", verdict(sink.Write(t.Context(), []int{1, -1})))
	assert.Equal(t, []string{"207 [1]x2", "207 [2]xx1"}, seen)
}

func TestResultsAreMappedBackToTheBatch(t *testing.T) {
	_, url := record(t, nil)
	permanent := batcher.Permanent(errDown)
	for name, c := range map[string]struct {
		batch   []int
		results error
		want    string        // the verdict
		errs    map[int]error // nil stands for the encoder's
	}{
		"none left out": {[]int{1, 2, 3}, &batcher.PartialError{Errs: map[int]error{1: errDown}}, "partial", map[int]error{1: errDown}},
		"left out":      {[]int{-1, 1, -1, 2, 3, -1}, &batcher.PartialError{Errs: map[int]error{0: errDown, 2: permanent}}, "partial", map[int]error{0: nil, 1: errDown, 2: nil, 4: permanent, 5: nil}},
		"nil entries":   {[]int{-1, 1, 2}, &batcher.PartialError{Errs: map[int]error{0: nil, 1: errDown}}, "partial", map[int]error{0: nil, 2: errDown}},
		"all of it":     {[]int{-1, 1}, errDown, "transient", nil},
		"permanent":     {[]int{-1, 1}, permanent, "permanent", nil},
		"too large":     {[]int{1, -1}, batcher.TooLarge(errDown), "too large", nil},
		"no such item":  {[]int{1, 2}, &batcher.PartialError{Errs: map[int]error{2: errDown}}, "transient", nil},
		"in the batch":  {[]int{-1, 1, 2}, &batcher.PartialError{Errs: map[int]error{2: permanent}}, "transient", nil}, // not in what was sent
		"no error":      {[]int{1, 2}, &batcher.PartialError{}, "transient", nil},
	} {
		t.Run(name, func(t *testing.T) {
			sink := open[int](t, url, numbers, httpsink.WithResults(func(*httpsink.Response, int) error { return c.results }))
			err := sink.Write(t.Context(), c.batch)
			require.Equal(t, c.want, verdict(err), "%v", err)
			var partial *batcher.PartialError
			if name == "none left out" {
				assert.Same(t, c.results, err)
			}
			if !errors.As(err, &partial) {
				assert.Regexp(t, "^httpsink: ", err.Error())
				return
			}
			require.Len(t, partial.Errs, len(c.errs))
			for i, want := range c.errs {
				if want == nil {
					assert.ErrorContains(t, partial.Errs[i], fmt.Sprintf("item %d cannot be encoded", i))
				} else {
					assert.Equal(t, want, partial.Errs[i])
				}
			}
		})
	}
}

func TestAnErrorOfTheResultsNamesWhoHasAnswered(t *testing.T) {
	_, url := record(t, redirect(307, "/there?key=s3cret#place"))
	results := httpsink.WithResults(func(*httpsink.Response, int) error { return errDown })
	err := open[int](t, url+"/", results).Write(t.Context(), []int{1})
	assert.EqualError(t, err, "httpsink: POST "+url+"/there?key=***: down")
	assert.ErrorIs(t, err, errDown)
}

func TestMarksAroundThePartialErrorAreKept(t *testing.T) {
	_, url := record(t, nil)
	var results error
	sink := open[int](t, url, numbers, httpsink.WithResults(func(*httpsink.Response, int) error { return results }))
	for _, batch := range [][]int{{1}, {1, -1}} {
		partial := &batcher.PartialError{Errs: map[int]error{0: errDown}}
		results = batcher.RetryAfter(partial, time.Minute)
		after, ok := batcher.RetryDelay(sink.Write(t.Context(), batch))
		assert.True(t, ok)
		assert.Equal(t, time.Minute, after)
		results = batcher.Permanent(partial)
		assert.True(t, batcher.IsPermanent(sink.Write(t.Context(), batch)))
	}
}

func TestTheBodyOfTheResultsIsBounded(t *testing.T) {
	_, url := record(t, status(200, "xx"))
	err := open[int](t, url, httpsink.WithMaxResponse(math.MaxInt), httpsink.WithResults(
		func(resp *httpsink.Response, _ int) error { return errors.New(string(resp.Body)) },
	)).Write(t.Context(), []int{1})
	assert.ErrorContains(t, err, "xx")
	for length, ok := range map[int]bool{9: true, 10: true, 11: false, 1000: false} {
		_, url := record(t, status(200, strings.Repeat("x", length)))
		got := -1
		sink := open[int](t, url, httpsink.WithMaxResponse(10), httpsink.WithResults(func(resp *httpsink.Response, _ int) error {
			got = len(resp.Body)
			return nil
		}))
		err := sink.Write(t.Context(), []int{1})
		if ok {
			assert.NoError(t, err)
			assert.Equal(t, length, got)
			continue
		}
		assertTransient(t, err)
		assert.ErrorContains(t, err, "longer than WithMaxResponse(10) allows")
		assert.Equal(t, -1, got)
	}
}

func TestAPanicOfTheResultsLeavesTheSinkAsItWas(t *testing.T) {
	rec, url := record(t, nil)
	calls := 0
	sink := open[int](t, url, httpsink.WithResults(func(*httpsink.Response, int) error {
		if calls++; calls%2 == 1 {
			panic(errDown)
		}
		return nil
	}))
	for range 3 {
		assert.PanicsWithValue(t, errDown, func() { _ = sink.Write(t.Context(), []int{1}) })
		require.NoError(t, sink.Write(t.Context(), []int{1}))
	}
	assert.Len(t, rec.all(), 6)
	assert.Equal(t, 1, rec.connections())
}

func TestConnectionsAreUsedAgainAfterResults(t *testing.T) {
	rec, url := record(t, status(200, strings.Repeat("x", 200_000)))
	sink := open[int](t, url, httpsink.WithResults(func(*httpsink.Response, int) error { return nil }))
	for range 10 {
		require.NoError(t, sink.Write(t.Context(), []int{1}))
	}
	assert.Equal(t, 1, rec.connections())
}
