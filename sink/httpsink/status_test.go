package httpsink_test

// What statuses mean, and Retry-After.

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

func TestEveryStatusIsClassified(t *testing.T) {
	var code int
	_, url := record(t, func(w http.ResponseWriter, _ *request, _ int) { w.WriteHeader(code) })
	sink := open[int](t, url)
	transient := []int{401, 403, 407, 408, 421, 425, 429}
	for code = 200; code <= 999; code++ {
		want := "transient"
		switch {
		case code < 300:
			want = "nil"
		case code == 413:
			want = "too large"
		case code < 500 && !contains(transient, code):
			want = "permanent"
		}
		err := sink.Write(t.Context(), []int{1})
		assert.Equal(t, want, verdict(err), "status %d", code)
		var refused *httpsink.StatusError
		if code >= 300 && assert.ErrorAs(t, err, &refused) {
			assert.Equal(t, httpsink.StatusError{Status: code, Method: "POST", URL: url}, *refused)
			assert.Contains(t, err.Error(), fmt.Sprintf("httpsink: POST %s: status %d", url, code))
		}
	}
}

func contains(codes []int, code int) bool {
	for _, c := range codes {
		if c == code {
			return true
		}
	}
	return false
}

func TestExceptionsCanBeMade(t *testing.T) {
	var code int
	_, url := record(t, func(w http.ResponseWriter, _ *request, _ int) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(code)
	})
	sink := open[int](t, url, httpsink.WithTransient(404, 409), httpsink.WithTransient(302))
	for given, want := range map[int]string{404: "after 7s", 409: "after 7s", 302: "after 7s", 410: "permanent", 429: "after 7s"} {
		code = given
		assert.Equal(t, want, verdict(sink.Write(t.Context(), []int{1})), "status %d", code)
	}
}

func TestF44_RetryAfterIsHonouredInBothForms(t *testing.T) {
	date := time.Date(2020, time.February, 3, 4, 5, 6, 0, time.UTC)
	later := date.Add(90 * time.Second)
	const rfc850, asctime = "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC
	var retryAfter, dateHeader string
	code := 503
	_, url := record(t, func(w http.ResponseWriter, _ *request, _ int) {
		w.Header()["Date"] = []string{dateHeader}
		if dateHeader == "" {
			w.Header()["Date"] = nil // none
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
	})
	sink := open[int](t, url)
	for _, c := range []struct{ retryAfter, date, want string }{
		{"", date.Format(http.TimeFormat), "transient"},
		{"0", "", "after 0s"},
		{"120", "", "after 2m0s"},
		{"  5 ", "", "after 5s"},
		{"99999999999999999999999", "", "after 1h0m0s"}, // the core's bound
		{"-1", "", "transient"},
		{"+1", "", "transient"},
		{"1.5", "", "transient"},
		{"soon", "", "transient"},
		{later.Format(http.TimeFormat), date.Format(http.TimeFormat), "after 1m30s"},
		{later.Format(rfc850), date.Format(http.TimeFormat), "after 1m30s"},
		{later.Format(asctime), date.Format(http.TimeFormat), "after 1m30s"},
		{later.Format(http.TimeFormat), date.Format(asctime), "after 1m30s"},
		{date.Add(-time.Hour).Format(http.TimeFormat), date.Format(http.TimeFormat), "after 0s"},
		{later.Format(http.TimeFormat), "", "after 0s"},       // long past by our own clock
		{later.Format(http.TimeFormat), "today", "after 0s"},  // the same
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", "after 1h0m0s"}, // and not an overflow
		{"Mon, 33 Feb 2020 04:05:06 GMT", date.Format(http.TimeFormat), "transient"},
	} {
		retryAfter, dateHeader = c.retryAfter, c.date
		for _, code = range []int{429, 503} {
			err := sink.Write(t.Context(), []int{1})
			assert.Equal(t, c.want, verdict(err), "Retry-After: %s, Date: %s", c.retryAfter, c.date)
		}
	}
	retryAfter, dateHeader = "5", ""
	for _, code = range []int{400, 413} {
		_, marked := batcher.RetryDelay(sink.Write(t.Context(), []int{1}))
		assert.False(t, marked, "status %d", code)
	}
}

func TestWithoutADateTheLocalClockCounts(t *testing.T) {
	_, url := record(t, func(w http.ResponseWriter, _ *request, _ int) {
		w.Header()["Date"] = nil
		w.Header().Set("Retry-After", time.Now().Add(30*time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(503)
	})
	after, ok := batcher.RetryDelay(open[int](t, url).Write(t.Context(), []int{1}))
	assert.True(t, ok)
	assert.Greater(t, after, 15*time.Minute)
	assert.LessOrEqual(t, after, 30*time.Minute)
}

func TestTheExcerptIsBoundedAndPrintable(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"", ""},
		{" a\r\n\tb\x00\x1b[31mc\u202e\xff\xfed é\n", "a b [31mc d é"},
		{strings.Repeat("é", 300), strings.Repeat("é", 254) + "…"},
		{strings.Repeat("a ", 1<<20), strings.Repeat("a ", 254) + "a…"},
	} {
		_, url := record(t, status(400, c.body))
		err := open[int](t, url).Write(t.Context(), []int{1})
		var refused *httpsink.StatusError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, c.want, refused.Body)
		assert.LessOrEqual(t, len(refused.Body), 512)
	}
	_, url := record(t, status(422, "no such field"))
	err := open[int](t, url+"#place").Write(t.Context(), []int{1})
	assert.EqualError(t, err, "httpsink: POST "+url+": status 422 Unprocessable Entity: no such field")
}
