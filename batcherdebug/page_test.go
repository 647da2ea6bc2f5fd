package batcherdebug

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

var errSink = errors.New("the sink is down")

func good(context.Context, []int) error { return nil }

// start makes a batcher that the test closes.
func start(t testing.TB, flush batcher.FlushFunc[int], opts ...batcher.Option) *batcher.Batcher[int] {
	t.Helper()
	b, err := batcher.New(flush, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close(context.Background())) })
	return b
}

// show makes a page that the test closes. It has time for slow machines to answer.
func show(t testing.TB, batchers ...batcher.Observed) *Page {
	t.Helper()
	p := Handler(batchers...)
	p.limit = time.Minute
	t.Cleanup(p.Close)
	return p
}

func request(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// stats asks for stats.json, and insists that it says nothing that Snapshot does not.
func stats(t *testing.T, p *Page) (s Snapshot) {
	t.Helper()
	w := request(p, "GET", "/debug/batcher/stats.json")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&s))
	return s
}

func TestThePageAndItsPartsAreServed(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/debug/batcher/", show(t))
	for path, contentType := range map[string]string{
		"": "text/html; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8",
		"stats.json": "application/json",
	} {
		w := request(mux, "GET", "/debug/batcher/"+path)
		assert.Equal(t, http.StatusOK, w.Code, path)
		assert.Equal(t, contentType, w.Header().Get("Content-Type"), path)
		assert.Greater(t, w.Body.Len(), 50, path)
		assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
		assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		assert.Equal(t, http.StatusOK, request(mux, "HEAD", "/debug/batcher/"+path).Code)
	}
	assert.Equal(t, http.StatusOK, request(mux, "HEAD", "/debug/batcher/events").Code)
	parts := regexp.MustCompile(`(?:src|href)="([^":]+)"`).FindAllStringSubmatch(
		request(mux, "GET", "/debug/batcher/").Body.String(), -1)
	assert.Greater(t, len(parts), 5)
	for _, part := range parts {
		assert.Equal(t, http.StatusOK, request(mux, "GET", "/debug/batcher/"+part[1]).Code, part[1])
	}
	for _, path := range []string{"other", "page.html", "static/page.html/", "../page.go"} {
		if w := request(mux, "GET", "/debug/batcher/"+path); w.Code == http.StatusOK {
			assert.Equal(t, "static/page.html/", path, "any folder shows the page")
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		w := request(mux, method, "/debug/batcher/")
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
		assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	}
}

func TestItCanBeMountedAnywhere(t *testing.T) {
	mux := http.NewServeMux()
	p := show(t)
	mux.Handle("/debug/batcher/", p)
	mux.Handle("/stripped/", http.StripPrefix("/stripped", p))
	mux.Handle("/bare", http.StripPrefix("/bare", p))
	assert.Equal(t, "/debug/batcher/", request(mux, "GET", "/debug/batcher").Header().Get("Location"))
	assert.Equal(t, http.StatusOK, request(mux, "GET", "/stripped/").Code)
	assert.Equal(t, http.StatusOK, request(mux, "GET", "/stripped/stats.json").Code)
	w := request(mux, "GET", "/bare?x=/y")
	assert.Equal(t, http.StatusMovedPermanently, w.Code)
	assert.Equal(t, "./bare/", w.Header().Get("Location"))
	root := http.StripPrefix("/", p)
	assert.Equal(t, http.StatusOK, request(root, "GET", "/").Code)
	assert.Equal(t, http.StatusOK, request(root, "GET", "/stats.json").Code)
}

func TestTheFilesNameNothingFromOutside(t *testing.T) {
	for name, file := range files {
		text, err := static.ReadFile(file.path)
		require.NoError(t, err)
		for _, sign := range []string{"http:", "https:", "innerHTML", "insertAdjacentHTML", "document.write", "eval("} {
			rest := strings.ReplaceAll(string(text), `"http://www.w3.org/2000/svg"`, "")
			assert.NotContains(t, rest, sign, "%q", name)
		}
	}
}

func TestTheFiguresAreThoseOfStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		b := start(t, func(context.Context, []int) error {
			time.Sleep(30 * time.Millisecond)
			if calls++; calls == 2 {
				return errSink
			}
			return nil
		}, batcher.WithName("orders"), batcher.WithMaxSize(3), batcher.WithMaxDelay(100*time.Millisecond),
			batcher.WithRetry(2, func(int) time.Duration { return time.Millisecond }))
		p := show(t, b)
		for i := range 7 {
			require.NoError(t, b.Add(t.Context(), i))
		}
		time.Sleep(time.Second)
		s := stats(t, p)
		require.Len(t, s.Batchers, 1)
		got := s.Batchers[0]
		assert.Equal(t, time.Now().UTC(), s.Time.UTC())
		assert.Equal(t, []Failure{{Time: got.Errors[0].Time, Class: "other", Text: "the sink is down", Items: 3,
			Attempt: 1, Times: 1}}, got.Errors)
		assert.Equal(t, Recent{Attempts: 4, Failed: 1, P50: .03, P99: .03, Batches: 3, MeanSize: 7. / 3, Full: 2,
			Sizes: []Bucket{{1, 1, 1}, {2, 3, 2}}}, got.Recent)
		assert.Equal(t, Stats{Age: 1, Added: 7, Flushed: 7, Retries: 1, Attempts: 4, FailedAttempts: 1, Batches: map[string]int64{
			"size": 2, "weight": 0, "delay": 1, "eager": 0, "flush": 0, "close": 0, "budget": 0}}, got.Stats)
		assert.Equal(t, Config{MaxSize: 3, MaxDelay: .1, Workers: 1, QueueDepth: 2, Overflow: "Block", MaxHeld: 9,
			FlushTimeout: 30, MaxAttempts: 2, Lanes: 1}, got.Config)
		assert.Equal(t, Flaky, got.State)
		assert.Equal(t, "of the last 4 attempts, 1 failed; the last failure was 940ms ago (other): the sink is down", got.Verdict)
		time.Sleep(time.Minute)
		got = stats(t, p).Batchers[0]
		assert.Equal(t, Idle, got.State)
		assert.Equal(t, "nothing is held; the last flush ended 1m1s ago", got.Verdict)
	})
}

func TestAllFrontEndsHaveACard(t *testing.T) {
	sharded, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil }, batcher.WithName("s"))
	require.NoError(t, err)
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error { return nil }, batcher.WithName("c"))
	require.NoError(t, err)
	plain := start(t, good)
	p := show(t, plain, sharded, combiner, plain)
	require.NoError(t, sharded.Add(t.Context(), "k", 1))
	require.NoError(t, combiner.Add(t.Context(), "k", 1))
	require.NoError(t, sharded.Close(t.Context()))
	require.NoError(t, combiner.Close(t.Context()))
	s := stats(t, p)
	var cards []string
	for i, b := range s.Batchers {
		assert.Equal(t, i, b.ID)
		cards = append(cards, b.FrontEnd+" "+b.Name)
	}
	assert.Equal(t, []string{"Batcher ", "Sharded s", "Combiner c", "Batcher "}, cards)
	assert.EqualValues(t, 1, s.Batchers[1].Stats.Flushed)
	assert.EqualValues(t, 1, s.Batchers[2].Stats.Flushed)
	assert.Equal(t, 0, s.Batchers[1].Config.QueueDepth)
}

func TestMissingBatchersAreAFaultOfTheProgram(t *testing.T) {
	var none *batcher.Batcher[int]
	b := start(t, good, batcher.WithName("a"))
	assert.PanicsWithValue(t, "batcherdebug: batcher 2 of 2 is nil", func() { Handler(b, nil) })
	assert.PanicsWithValue(t, "batcherdebug: batcher 1 of 1 is nil", func() { Handler(none) })
	assert.Equal(t, []Batcher{}, stats(t, show(t)).Batchers, "without any it is an empty list")
}

func TestOneSnapshotIsForAllWhoAskWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, good)
		p := show(t, b)
		first := stats(t, p)
		require.NoError(t, b.AddWait(t.Context(), 1))
		time.Sleep(p.period*9/10 - time.Millisecond - batcherDelay)
		assert.Equal(t, first, stats(t, p))
		time.Sleep(time.Millisecond)
		assert.EqualValues(t, 1, stats(t, p).Batchers[0].Stats.Added)
	})
}

// batcherDelay is the default MaxDelay.
const batcherDelay = 100 * time.Millisecond

func TestCloseRemovesTheHooksAndAnswers503(t *testing.T) {
	b := start(t, func(context.Context, []int) error { return errSink })
	p := show(t, b)
	p.Close()
	p.Close()
	assert.Error(t, b.AddWait(t.Context(), 1))
	assert.Zero(t, p.watched[0].failed)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		assert.Equal(t, http.StatusServiceUnavailable, request(p, method, "/").Code, method)
	}
}

func TestP13_TheHooksDoNotAllocateUnlessAnAttemptFails(t *testing.T) {
	w := show(t, start(t, good)).watched[0]
	info := batcher.Info{First: true, Size: 3, Reason: batcher.ReasonSize}
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		info.Batch++
		w.flushStart(context.Background(), info)
		w.flushEnd(context.Background(), info, batcher.FlushResult{Duration: time.Millisecond})
	}))
}
