package httpsink

// Retry-After, for all that a server may say.

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("-1", "Sun, 06 Nov 1994 08:49:37 GMT")
	f.Add("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:36 GMT")
	f.Add("Sun Nov  6 08:49:37 1994", "garbage")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Add("9223372036854775807", "")
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		now := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
		d, ok := retryAfter(h, now)
		require.GreaterOrEqual(t, d, time.Duration(0))
		if !ok {
			require.Zero(t, d)
		}
		digits := strings.TrimSpace(value)
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			return // too large, or no number of seconds
		}
		require.True(t, ok)
		if n <= uint64(math.MaxInt64/time.Second) {
			require.Equal(t, time.Duration(n)*time.Second, d)
		} else {
			require.Equal(t, math.MaxInt64/time.Second*time.Second, d)
		}
	})
}
