package httpsink_test

// What a Write sends.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

type event struct {
	ID   int     `json:"id"`
	Name string  `json:"name,omitempty"`
	X    float64 `json:"x,omitempty"`
}

func TestABatchIsOneRequestOfNDJSON(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[event](t, url+"/in?k=v")
	require.NoError(t, sink.Write(t.Context(), []event{{ID: 1, Name: "<a&b>"}, {ID: 2}}))
	require.Len(t, rec.all(), 1)
	r := rec.all()[0]
	assert.Equal(t, "{\"id\":1,\"name\":\"<a&b>\"}\n{\"id\":2}\n", r.body)
	assert.Equal(t, "POST", r.Method)
	assert.Equal(t, "/in?k=v", r.RequestURI)
	assert.Equal(t, "application/x-ndjson", r.Header.Get("Content-Type"))
	assert.Empty(t, r.Header.Get("Content-Encoding"))
	assert.EqualValues(t, len(r.body), r.ContentLength, "the length is known")
}

func TestFormats(t *testing.T) {
	raw := httpsink.WithEncoder("text/csv", appendNumber)
	for name, c := range map[string]struct {
		opts        []httpsink.Option
		want        string
		contentType string
	}{
		"NDJSON":              {nil, "1\n2\n3\n", "application/x-ndjson"},
		"NDJSON, own encoder": {[]httpsink.Option{numbers}, "1\n2\n3\n", "application/x-ndjson"},
		"array":               {[]httpsink.Option{httpsink.WithJSONArray()}, "[1,2,3]", "application/json"},
		"array, own encoder":  {[]httpsink.Option{httpsink.WithJSONArray(), numbers}, "[1,2,3]", "application/json"},
		"as it is":            {[]httpsink.Option{raw}, "123", "text/csv"},
		"framed":              {[]httpsink.Option{raw, httpsink.WithFraming("n\r\n", "; ", "!")}, "n\r\n1; 2; 3!", "text/csv"},
		"content type":        {[]httpsink.Option{httpsink.WithHeader("content-type", "application/jsonl")}, "1\n2\n3\n", "application/jsonl"},
	} {
		for compression, zip := range map[string]httpsink.Option{"": nil, "gzip": httpsink.WithGzip(1), "zstd": httpsink.WithZstd(1)} {
			t.Run(name+" "+compression, func(t *testing.T) {
				rec, url := record(t, nil)
				opts := c.opts
				if zip != nil {
					opts = append(opts[:len(opts):len(opts)], zip)
				}
				sink := open[int](t, url, opts...)
				for range 3 { // the pooled parts begin anew
					require.NoError(t, sink.Write(t.Context(), []int{1, 2, 3}))
				}
				assert.Equal(t, []string{c.want, c.want, c.want}, rec.bodies())
				r := rec.all()[2]
				assert.Equal(t, c.contentType, r.Header.Get("Content-Type"))
				assert.Equal(t, compression, r.Header.Get("Content-Encoding"))
				assert.EqualValues(t, r.bytes, r.ContentLength)
			})
		}
	}
}

func TestEveryLevelIsReadable(t *testing.T) {
	rec, url := record(t, nil)
	var levels []httpsink.Option
	for _, level := range []int{1, 2, 3, 5, 6, 9, 10, 22} { // the bounds of what is told apart
		levels = append(levels, httpsink.WithZstd(level))
	}
	for _, level := range []int{-1, 1, 2, 6, 9} {
		levels = append(levels, httpsink.WithGzip(level))
	}
	batch := ints(60_000) // more than a block of any compression
	plain, err := json.Marshal(batch)
	require.NoError(t, err)
	for _, level := range levels {
		sink := open[int](t, url, httpsink.WithJSONArray(), level, numbers)
		require.NoError(t, sink.Write(t.Context(), batch))
	}
	for _, r := range rec.all() {
		require.Equal(t, len(plain), len(r.body))
		require.Equal(t, string(plain), r.body)
		assert.Less(t, r.bytes, len(plain)/2)
	}
	assert.Len(t, rec.all(), len(levels))
}

func TestWhatIsSaidInOptionsIsSent(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[int](t, url,
		httpsink.WithMethod("PUT"),
		httpsink.WithHeader("X-Tenant", "a"), httpsink.WithHeader("x-tenant", "b"),
		httpsink.WithHeader("Host", "elsewhere.example"),
		httpsink.WithIdempotencyKey(""),
	)
	require.NoError(t, sink.Write(t.Context(), []int{1}))
	r := rec.all()[0]
	assert.Equal(t, "PUT", r.Method)
	assert.Equal(t, []string{"b"}, r.Header["X-Tenant"])
	assert.Equal(t, "elsewhere.example", r.Host)
	assert.Empty(t, r.Header.Get("Idempotency-Key"))
}

func TestUserInfoOfTheURLIsBasicAuthentication(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[int](t, strings.Replace(url, "http://", "http://u:p%40ss@", 1))
	require.NoError(t, sink.Write(t.Context(), []int{1}))
	user, password, ok := rec.all()[0].BasicAuth()
	assert.True(t, ok)
	assert.Equal(t, "u:p@ss", user+":"+password)
}

func TestAnEmptyBatchIsNotSent(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[int](t, url)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, sink.Write(t.Context(), nil))
	require.NoError(t, sink.Write(ended, []int{}))
	assert.Empty(t, rec.all())
}

func TestF16_ANilContextIsNamed(t *testing.T) {
	sink := open[int](t, "http://localhost")
	var none context.Context
	assert.PanicsWithValue(t, "httpsink: Write: nil context", func() { _ = sink.Write(none, []int{1}) })
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[int](t, url)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDown)
	err := sink.Write(ctx, []int{1})
	assertTransient(t, err)
	assert.ErrorIs(t, err, errDown)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "nothing was sent")

	ctx, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer stop()
	err = sink.Write(ctx, []int{1})
	assertTransient(t, err)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Empty(t, rec.all())
}

func TestOneBadItemDoesNotFailTheBatch(t *testing.T) {
	for compression, opts := range map[string][]httpsink.Option{
		"":     {numbers},
		"zstd": {numbers, httpsink.WithZstd(1)},
	} {
		t.Run(compression, func(t *testing.T) {
			rec, url := record(t, nil)
			sink := open[int](t, url, opts...)
			err := sink.Write(t.Context(), []int{-1, 1, 1000, 2, -2})
			var partial *batcher.PartialError
			require.ErrorAs(t, err, &partial)
			require.Len(t, partial.Errs, 3)
			for i, why := range map[int]string{
				0: "httpsink: item 0 cannot be encoded: -1 is out of range",
				2: "httpsink: item 2 cannot be encoded: the encoder appended nothing",
				4: "httpsink: item 4 cannot be encoded: -2 is out of range",
			} {
				assert.EqualError(t, partial.Errs[i], why)
				assert.True(t, batcher.IsPermanent(partial.Errs[i]))
			}
			assert.Equal(t, []string{"1\n2\n"}, rec.bodies())
		})
	}
}

func TestIfAllItemsAreBadNothingIsSent(t *testing.T) {
	rec, url := record(t, nil)
	sink := open[float64](t, url, httpsink.WithJSONArray(), httpsink.WithGzip(1))
	err := sink.Write(t.Context(), []float64{math.NaN(), math.Inf(1)})
	var partial *batcher.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Len(t, partial.Errs, 2)
	var unsupported *json.UnsupportedValueError
	assert.ErrorAs(t, partial.Errs[1], &unsupported)
	assert.Empty(t, rec.all())
	require.NoError(t, sink.Write(t.Context(), []float64{1}))
	assert.Equal(t, []string{"[1]"}, rec.bodies())
}

// The bad ones fail again at the next attempt; this failure is not to condemn the good ones.
func TestIfTheOthersFailTheirErrorIsReturnedAlone(t *testing.T) {
	for code, want := range map[int]string{400: "permanent", 413: "too large", 500: "transient"} {
		_, url := record(t, status(code, ""))
		sink := open[int](t, url, numbers)
		err := sink.Write(t.Context(), []int{-1, 1})
		assert.Equal(t, want, verdict(err))
		var refused *httpsink.StatusError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, code, refused.Status)
	}
}

func TestAnEncoderMayReturnASliceOfItsOwn(t *testing.T) {
	rec, url := record(t, nil)
	marshal := func(_ []byte, item event) ([]byte, error) { return json.Marshal(item) }
	overwrite := func(dst []byte, item event) ([]byte, error) {
		clear(dst[:cap(dst)]) // what is there is free capacity, and nobody's bytes
		return append(dst[:0], "true\n"...), nil
	}
	long := func(dst []byte, item event) ([]byte, error) {
		return append(append(append(dst, '"'), strings.Repeat("x", 10_000)...), '"'), nil
	}
	batch := []event{{ID: 1}, {ID: 2}}
	for _, encode := range []func([]byte, event) ([]byte, error){marshal, overwrite, long} {
		sink := open[event](t, url, httpsink.WithJSONEncoder(encode))
		require.NoError(t, sink.Write(t.Context(), batch))
	}
	x := `"` + strings.Repeat("x", 10_000) + "\"\n"
	assert.Equal(t, []string{"{\"id\":1}\n{\"id\":2}\n", "true\ntrue\n", x + x}, rec.bodies())
}

func TestALineFeedInAnItemIsRefusedWhereItWouldEndIt(t *testing.T) {
	rec, url := record(t, nil)
	pretty := httpsink.WithJSONEncoder(func(dst []byte, item int) ([]byte, error) {
		if item == 1 {
			return append(dst, "{\n}"...), nil
		}
		return append(dst, "{}\n"...), nil
	})
	err := open[int](t, url, pretty).Write(t.Context(), []int{0, 1, 0})
	assert.Equal(t, "partial", verdict(err))
	assert.ErrorContains(t, err, "item 1 cannot be encoded: the encoder appended a line feed")
	require.NoError(t, open[int](t, url, pretty, httpsink.WithJSONArray()).Write(t.Context(), []int{0, 1, 0}))
	assert.Equal(t, []string{"{}\n{}\n", "[{},{\n},{}]"}, rec.bodies())
}

func TestAPanicOfTheEncoderLeavesTheSinkAsItWas(t *testing.T) {
	rec, url := record(t, nil)
	for _, zip := range []httpsink.Option{httpsink.WithHeader("A", "b"), httpsink.WithGzip(1), httpsink.WithZstd(1)} {
		sink := open[int](t, url, numbers, zip)
		for range 3 {
			assert.PanicsWithValue(t, "the encoder panics", func() { _ = sink.Write(t.Context(), []int{7, 1001}) })
			require.NoError(t, sink.Write(t.Context(), []int{1, 2}))
		}
	}
	for _, body := range rec.bodies() {
		assert.Equal(t, "1\n2\n", body)
	}
}

// Types whose JSON is made by methods with pointer receivers, pointers, interfaces.
func TestEncodingJSONSeesItemsAsValuesOfTheirType(t *testing.T) {
	rec, url := record(t, nil)
	one := 1
	require.NoError(t, open[*int](t, url).Write(t.Context(), []*int{&one, nil}))
	require.NoError(t, open[any](t, url).Write(t.Context(), []any{1, nil, "a", event{ID: 3}}))
	require.NoError(t, open[shouting](t, url).Write(t.Context(), []shouting{"a"}))
	assert.Equal(t, []string{"1\nnull\n", "1\nnull\n\"a\"\n{\"id\":3}\n", "\"A\"\n"}, rec.bodies())
}

type shouting string

func (s *shouting) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(*s))), nil }

func TestTheHookSeesAndChangesTheRequest(t *testing.T) {
	rec, url := record(t, nil)
	var seen []string
	sink := open[int](t, url, httpsink.WithGzip(1), httpsink.WithRequest(func(req *http.Request) error {
		body, err := req.GetBody()
		if err != nil {
			return err
		}
		defer body.Close()
		var raw strings.Builder
		for _, b := range []io.Reader{body, req.Body} { // both are read to their ends
			raw.Reset()
			if _, err := io.Copy(&raw, b); err != nil {
				return err
			}
			seen = append(seen, raw.String())
		}
		req.Header.Set("X-Signature", fmt.Sprint(raw.Len()))
		req.URL.RawQuery = "signed=1"
		return nil
	}))
	for range 2 {
		require.NoError(t, sink.Write(t.Context(), []int{1, 2}))
	}
	for i, r := range rec.all() {
		assert.Equal(t, "1\n2\n", r.body)
		assert.Equal(t, fmt.Sprint(r.bytes), r.Header.Get("X-Signature"))
		assert.Len(t, seen[2*i], r.bytes)
		assert.Equal(t, seen[2*i], seen[2*i+1])
		assert.Equal(t, "/?signed=1", r.RequestURI)
	}
	assert.Len(t, rec.all(), 2)
}

func TestAnErrorOfTheHookFailsTheAttemptAsMarked(t *testing.T) {
	rec, url := record(t, nil)
	var fault error
	sink := open[int](t, url, httpsink.WithRequest(func(req *http.Request) error { return fault }))
	for want, marked := range map[string]error{
		"transient": errDown, "permanent": batcher.Permanent(errDown), "after 1s": batcher.RetryAfter(errDown, time.Second),
	} {
		fault = marked
		err := sink.Write(t.Context(), []int{1})
		assert.Equal(t, want, verdict(err))
		assert.ErrorIs(t, err, errDown)
	}
	assert.Empty(t, rec.all())
	fault = nil
	require.NoError(t, sink.Write(t.Context(), []int{1}))
}

func TestAHookThatWaitsHeedsTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	sink := open[int](t, "http://localhost", httpsink.WithRequest(func(req *http.Request) error {
		cancel(errDown)
		<-req.Context().Done()
		return batcher.Permanent(errors.New("no token"))
	}))
	err := sink.Write(ctx, []int{1})
	assertTransient(t, err)
	assert.ErrorIs(t, err, errDown)
}

func TestAPanicOfTheHookLeavesTheSinkAsItWas(t *testing.T) {
	rec, url := record(t, nil)
	calls := 0
	sink := open[int](t, url, httpsink.WithRequest(func(*http.Request) error {
		if calls++; calls%2 == 1 {
			panic(errDown)
		}
		return nil
	}))
	for range 3 {
		assert.PanicsWithValue(t, errDown, func() { _ = sink.Write(t.Context(), []int{7}) })
		require.NoError(t, sink.Write(t.Context(), []int{1}))
	}
	assert.Equal(t, []string{"1\n", "1\n", "1\n"}, rec.bodies())
}

func TestTheSliceIsNotKept(t *testing.T) {
	_, url := record(t, nil)
	for _, opt := range []httpsink.Option{numbers, httpsink.WithZstd(1), httpsink.WithJSONArray()} {
		sink := open[int](t, url, opt)
		batchertest.CheckNoRetention(t, sink.Write, ints(100)...)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for code, body := range map[int]string{200: long, 204: "", 400: long, 503: long} {
		rec, url := record(t, status(code, body))
		sink := open[int](t, url)
		for range 20 {
			err := sink.Write(t.Context(), []int{1})
			assert.Equal(t, code >= 300, err != nil)
		}
		assert.Len(t, rec.all(), 20)
		assert.Equal(t, 1, rec.connections(), "status %d", code)
	}
}

func TestCloseAndAWriteAfterItLeaveNoConnection(t *testing.T) {
	closed := make(chan struct{}, 10)
	server := httptest.NewUnstartedServer(new(recorder))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	sink, err := httpsink.New[int](server.URL)
	require.NoError(t, err)
	require.NoError(t, sink.Write(t.Context(), []int{1}))
	require.Empty(t, closed)
	sink.Close()
	wait(t, closed)
	for range 3 {
		require.NoError(t, sink.Write(t.Context(), []int{1}))
		wait(t, closed)
	}
}

func TestAWriteThatCloseDoesNotWaitForLeavesNoConnection(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-answer
	})
	sink, err := httpsink.New[int](url)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- sink.Write(t.Context(), []int{1}) }()
	<-arrived
	sink.Close()
	close(answer)
	require.NoError(t, <-done) // and TestMain sees that nothing is left
}
