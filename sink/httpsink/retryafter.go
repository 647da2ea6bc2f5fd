package httpsink

// Retry-After, in both of its forms.

import (
	"math"
	"net/http"
	"strings"
	"time"
)

// retryAfter returns how long the server asks to wait, never a negative time, and false if it does
// not say, or says something else. A date is measured against the answer's own Date, since the two
// clocks may differ, or against now if there is none.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if d, ok := seconds(value); ok {
		return d, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0), true // Sub stops at the longest Duration
}

// seconds parses a number of seconds: digits and nothing else. What passes the longest Duration
// counts as that.
func seconds(s string) (time.Duration, bool) {
	const most = int64(math.MaxInt64 / time.Second)
	n := int64(0)
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = 10*n + int64(c-'0'); n > most {
			n = most // times ten, it still fits
		}
	}
	return time.Duration(n) * time.Second, s != ""
}
