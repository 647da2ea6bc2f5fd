package main

// The clients, against servers of every temper.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheClientBooksEveryAnswer(t *testing.T) {
	later := func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, c := range []struct {
		name    string
		answer  func(w http.ResponseWriter, try int64)
		books   entry
		retried int64
		trouble string
	}{
		{"202", func(w http.ResponseWriter, _ int64) { w.WriteHeader(202) }, entry{accepted: 1}, 0, ""},
		{"201", func(w http.ResponseWriter, _ int64) { w.WriteHeader(201) }, entry{accepted: 1}, 0, ""},
		{"503 twice", func(w http.ResponseWriter, try int64) {
			if try <= 2 {
				later(w)
			} else {
				w.WriteHeader(202)
			}
		}, entry{accepted: 1}, 2, ""},
		{"503 for ever", func(w http.ResponseWriter, _ int64) { later(w) }, entry{}, 4,
			"given up after 5 answers of 503"},
		{"500", func(w http.ResponseWriter, _ int64) { http.Error(w, "oh", 500) }, entry{open: 1}, 0,
			"status 500: oh"},
		{"504", func(w http.ResponseWriter, _ int64) { http.Error(w, "oh", http.StatusGatewayTimeout) }, entry{open: 1}, 0,
			"status 504: oh"},
		{"400", func(w http.ResponseWriter, _ int64) { http.Error(w, "oh", 400) }, entry{}, 0,
			"status 400: oh"},
		{"cut off", func(http.ResponseWriter, int64) { panic(http.ErrAbortHandler) }, entry{open: 1}, 0,
			"no answer (EOF)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tries atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				c.answer(w, tries.Add(1))
			}))
			defer server.Close()
			d := newDriver(server.URL, 1, 5)
			d.drive(t.Context(), generate("run", 1, 0))
			assert.Equal(t, c.books, d.ledger.totals())
			assert.Equal(t, c.retried, d.retried.Load())
			assert.EqualValues(t, 1, d.done.Load())
			var text bytes.Buffer
			troubles := writeTroubles(&text, d)
			if c.trouble == "" {
				assert.Zero(t, troubles)
			} else {
				assert.Equal(t, "trouble: 1 times: "+c.trouble+"\n", text.String())
			}
		})
	}
}

func TestNobodyThereIsNoAcceptance(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	d := newDriver(server.URL, 1, 5)
	d.drive(t.Context(), generate("run", 3, 0))
	assert.Equal(t, entry{}, d.ledger.totals())
	assert.Equal(t, map[string]int{"no connection": 3}, d.troubles)
}

func TestAnInterruptEndsThePoliteWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	}))
	defer server.Close()
	d := newDriver(server.URL, 1, 5)
	d.drive(ctx, generate("run", 100, 0))
	assert.Equal(t, map[string]int{"not sent again after a 503, because of the interrupt": 1}, d.troubles)
	assert.EqualValues(t, 1, d.done.Load())
}

func TestASourceThatBlocksDoesNotHoldUpAnInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	d := newDriver("http://127.0.0.1:1", 2, 5)
	d.drive(ctx, func(func(request) bool) {
		cancel()
		<-release
	})
	assert.Zero(t, d.done.Load())
}

func TestRetryAfterIsHonouredWithinReason(t *testing.T) {
	for _, c := range []struct {
		header      string
		least, most time.Duration
	}{
		{"0", 0, 0},
		{"1", time.Second, time.Second * 5 / 4},
		{"30", 30 * time.Second, 30 * time.Second * 5 / 4},
		{"100000000000", time.Minute, time.Minute * 5 / 4},
		{"-1", time.Second, time.Second * 5 / 4},
		{"soon", time.Second, time.Second * 5 / 4},
		{"", time.Second, time.Second * 5 / 4},
	} {
		for range 100 {
			got := retryAfter(http.Header{"Retry-After": {c.header}})
			assert.GreaterOrEqual(t, got, c.least, c.header)
			assert.LessOrEqual(t, got, c.most, c.header)
		}
	}
}

func TestTroublesOfManyKindsAreBounded(t *testing.T) {
	d := newDriver("", 1, 1)
	for i := range 100 {
		d.trouble(fmt.Sprint("kind ", i))
	}
	assert.Len(t, d.troubles, maxTroubles+1)
	assert.Equal(t, 80, d.troubles["other troubles"])
	var text bytes.Buffer
	assert.Equal(t, 100, writeTroubles(&text, d))
	assert.True(t, strings.HasPrefix(text.String(), "trouble: 80 times: other troubles\n"))
}

func TestTheLoadIsSpreadAsAskedFor(t *testing.T) {
	for _, c := range []struct {
		share float64
		waits int
	}{{0, 0}, {1, 1000}, {.5, 500}, {.01, 10}} {
		waits, ids := 0, make(map[string]bool)
		for r := range generate("run", 1000, c.share) {
			require.NoError(t, r.event.validate())
			ids[r.event.ID] = true
			if r.wait {
				waits++
			}
		}
		assert.Equal(t, c.waits, waits)
		assert.Len(t, ids, 1000)
	}
}

func TestProgressIsABarOnATerminalAndLinesElsewhere(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal bool
		total    int64
		count    int64
		want     []string
	}{
		{"a bar", true, 200, 200, []string{"0%", "100%", "(200/200", "\n"}},
		{"a bar that is interrupted", true, 200, 50, []string{"0%", "25%", "(50/200", "\n"}},
		{"lines", false, 200, 50, []string{"50 of 200 events, "}},
		{"lines without a total", false, 0, 50, []string{"50 events, "}},
		{"no bar without a total", true, 0, 50, []string{"50 events, "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l log
			var n atomic.Int64
			p := startProgress(&l, c.terminal, c.total, n.Load)
			n.Store(c.count)
			p.stop()
			for _, part := range c.want {
				assert.Contains(t, l.String(), part)
			}
		})
	}
	assert.False(t, isTerminal(new(log)))
}

func TestVerdictsAreRight(t *testing.T) {
	none := map[string]int{}
	for _, c := range []struct {
		name          string
		sent          map[string]entry
		before, after map[string]int
		openStored    int
		err           string
	}{
		{"nothing at all", nil, nil, nil, 0, ""},
		{"one accepted and stored", map[string]entry{"a": {1, 0}}, none, map[string]int{"a": 1}, 0, ""},
		{"one missing", map[string]entry{"a": {1, 0}, "b": {1, 0}}, none, map[string]int{"b": 1}, 0,
			"accepted, but missing in the database: 1 events (a)"},
		{"one doubled", map[string]entry{"a": {1, 0}}, none, map[string]int{"a": 2}, 0,
			"in the database more than once: 1 events (a)"},
		{"two with the same id", map[string]entry{"a": {2, 0}}, none, map[string]int{"a": 2}, 0, ""},
		{"one of two with the same id", map[string]entry{"a": {2, 0}}, none, map[string]int{"a": 1}, 0,
			"accepted, but missing in the database: 1 events (a)"},
		{"open and not stored", map[string]entry{"a": {0, 1}}, none, none, 0, ""},
		{"open and stored", map[string]entry{"a": {0, 1}}, none, map[string]int{"a": 1}, 1, ""},
		{"open and doubled", map[string]entry{"a": {0, 1}}, none, map[string]int{"a": 2}, 1,
			"in the database more than once: 1 events (a)"},
		{"never sent", nil, none, map[string]int{"a": 1}, 0,
			"in the database, but nobody sent them: 1 events (a)"},
		{"never sent, without an id", nil, none, map[string]int{"": 2}, 0,
			"in the database, but nobody sent them: 2 events ((no id))"},
		{"there before", nil, map[string]int{"a": 1}, map[string]int{"a": 1}, 0, ""},
		{"there before and gone", nil, map[string]int{"a": 1}, none, 0,
			"accepted, but missing in the database: 1 events (a)"},
		{"there before and sent again", map[string]entry{"a": {1, 0}}, map[string]int{"a": 1},
			map[string]int{"a": 2}, 0, ""},
		{"there before, sent again and missing", map[string]entry{"a": {1, 0}}, map[string]int{"a": 1},
			map[string]int{"a": 1}, 0, "accepted, but missing in the database: 1 events (a)"},
		{"many missing", map[string]entry{
			"a": {1, 0}, "b": {1, 0}, "c": {1, 0}, "d": {1, 0}, "e": {1, 0}, "f": {1, 0},
		}, none, none, 0, "accepted, but missing in the database: 6 events (a, b, c, d, e, ...)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger()
			for id, e := range c.sent {
				l.enter(id, e)
			}
			v := verify(l, c.before, c.after)
			assert.Equal(t, c.openStored, v.openStored)
			if c.err == "" {
				require.NoError(t, v.err())
			} else {
				require.EqualError(t, v.err(), c.err)
			}
		})
	}
}
