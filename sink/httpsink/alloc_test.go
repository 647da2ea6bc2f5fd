//go:build !race

package httpsink_test

// Allocation budgets. They are exact without the race detector only, under which sync.Pool drops
// objects at random.

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// sponge is a transport that reads the body and answers 200.
type sponge struct{ buf [32 << 10]byte }

func (s *sponge) RoundTrip(req *http.Request) (*http.Response, error) {
	for {
		if _, err := req.Body.Read(s.buf[:]); err != nil {
			break
		}
	}
	req.Body.Close()
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
}

// chatty is a transport that answers with a long body.
type chatty struct{ text string }

func (c *chatty) RoundTrip(req *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, req.Body)
	req.Body.Close()
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(c.text))}, err
}

func TestAllocsOfResultsDoNotGrowWithTheAnswer(t *testing.T) {
	for name, faulty := range map[string]bool{"read": false, "too long": true} {
		allocs := func(length int) float64 {
			max := length
			if faulty {
				max--
			}
			client := httpsink.WithClient(&http.Client{Transport: &chatty{strings.Repeat("x", length)}})
			sink := open[int](t, "http://localhost", client, httpsink.WithMaxResponse(max),
				httpsink.WithResults(func(*httpsink.Response, int) error { return nil }))
			batch := ints(1)
			write := func() { assert.Equal(t, faulty, sink.Write(t.Context(), batch) != nil) }
			write() // warm up
			return testing.AllocsPerRun(50, write)
		}
		assert.LessOrEqual(t, allocs(1<<20), allocs(100)+5, name)
	}
}

// Whatever becomes of a batch, its buffer is used again: a Write of 1 MB allocates far less.
func TestAllocsOfABodyAreNoneWhateverBecomesOfIt(t *testing.T) {
	answer := func(status int) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Location", "/there")
			w.WriteHeader(status)
		})
	}
	redirects, fails := answer(307), answer(500)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	last := httpsink.WithClient(&http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	half := httpsink.WithJSONEncoder(func(dst []byte, item int) ([]byte, error) {
		if item < 0 {
			return nil, errDown
		}
		return append(append(dst, '"'), make([]byte, 1<<10)...), nil
	})
	hook := httpsink.WithRequest(func(*http.Request) error { return errDown })
	prefix := httpsink.WithFraming(strings.Repeat("p", 1<<20), "", "")
	bad := httpsink.WithEncoder("text/plain", func([]byte, int) ([]byte, error) { return nil, errDown })
	for name, c := range map[string]struct {
		url   string
		opts  []httpsink.Option
		batch []int
	}{
		"redirected": {redirects, []httpsink.Option{half, last}, ints(1000)},
		"failed":     {fails, []httpsink.Option{half}, ints(1000)},
		"not sent":   {fails, []httpsink.Option{half, hook}, ints(1000)},
		"hooked":     {fails, []httpsink.Option{half, httpsink.WithRequest(func(*http.Request) error { return nil })}, ints(1000)},
		"all bad":    {fails, []httpsink.Option{bad, prefix}, ints(1)},
	} {
		sink := open[int](t, c.url, c.opts...)
		write := func() { assert.Error(t, sink.Write(t.Context(), c.batch), name) }
		write()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const writes = 20
		for range writes {
			write()
		}
		runtime.ReadMemStats(&after)
		perWrite := (after.TotalAlloc - before.TotalAlloc) / writes
		assert.Less(t, perWrite, uint64(500<<10), name) // the server's share included
	}
}

func TestAllocsOfAnItemAreZero(t *testing.T) {
	appendInt := func(dst []byte, item int) ([]byte, error) { return strconv.AppendInt(dst, int64(item), 10), nil }
	client := httpsink.WithClient(&http.Client{Transport: new(sponge)})
	for name, opts := range map[string][]httpsink.Option{
		"plain":         {client, httpsink.WithJSONEncoder(appendInt)},
		"gzip":          {client, httpsink.WithJSONEncoder(appendInt), httpsink.WithGzip(1)},
		"zstd":          {client, httpsink.WithJSONEncoder(appendInt), httpsink.WithZstd(1)},
		"as it is":      {client, httpsink.WithEncoder("text/csv", appendInt), httpsink.WithFraming("", ",", "")},
		"encoding/json": {client}, // which needs none for an int
	} {
		sink := open[int](t, "http://localhost/in?k=v", opts...)
		allocs := func(n int) float64 {
			batch := ints(n)
			write := func() { require.NoError(t, sink.Write(t.Context(), batch)) }
			write() // warm up
			return testing.AllocsPerRun(50, write)
		}
		few, many := allocs(10), allocs(10_000)
		assert.LessOrEqual(t, many, few+5, name) // a GC in between may empty the pools
		assert.LessOrEqual(t, many, 45.0, name)
		t.Logf("%s: %v allocations for 10 items, %v for 10 000", name, few, many)
	}
}
