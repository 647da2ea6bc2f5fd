package httpsink_test

// What New refuses.

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

func TestF34_EveryBadOptionIsNamed(t *testing.T) {
	intItem := func(dst []byte, _ int) ([]byte, error) { return dst, nil }
	stringItem := func(dst []byte, _ string) ([]byte, error) { return dst, nil }
	type options = []httpsink.Option
	raw := httpsink.WithEncoder("text/plain", intItem)
	for want, opts := range map[string]options{
		"option 2 of 2 is nil":                             {numbers, nil},
		"WithGzip(0): must be from 1 to 9, or -1":          {httpsink.WithGzip(0)},
		"WithGzip(10): must be":                            {httpsink.WithGzip(10)},
		"WithGzip(-2): must be":                            {httpsink.WithGzip(-2)},
		"WithZstd(0): must be from 1 to 22":                {httpsink.WithZstd(0)},
		"WithZstd(23): must be":                            {httpsink.WithZstd(23)},
		"WithGzip and WithZstd":                            {httpsink.WithZstd(1), httpsink.WithGzip(1)},
		"WithEncoder and WithJSONEncoder":                  {raw, numbers},
		"WithEncoder and WithJSONArray":                    {raw, httpsink.WithJSONArray()},
		"WithEncoder(\"a\\n\"): not a content type":        {httpsink.WithEncoder("a\n", intItem)},
		"WithEncoder(\"\"): not a content type":            {httpsink.WithEncoder("", intItem)},
		"WithFraming: needs WithEncoder":                   {httpsink.WithFraming("", ",", "")},
		"WithMethod(\"GET\"): must be POST, PUT or PATCH":  {httpsink.WithMethod("GET")},
		"WithMethod(\"post\")":                             {httpsink.WithMethod("post")},
		"WithHeader(\"a b\"): not the name":                {httpsink.WithHeader("a b", "")},
		"WithHeader(\"\"): not the name":                   {httpsink.WithHeader("", "")},
		"WithHeader(\"A\"): the value cannot be sent":      {httpsink.WithHeader("A", "s3cret\r\nB: c")},
		"WithHeader(\"content-length\"): belongs to":       {httpsink.WithHeader("content-length", "1")},
		"WithHeader(\"Transfer-Encoding\"): belongs to":    {httpsink.WithHeader("Transfer-Encoding", "x")},
		"WithHeader(\"Content-Encoding\"): the compress":   {httpsink.WithHeader("content-encoding", "br"), httpsink.WithGzip(1)},
		"WithIdempotencyKey(\"a:\"): not the name":         {httpsink.WithIdempotencyKey("a:")},
		"WithIdempotencyKey(\"x-id\") and WithHeader":      {httpsink.WithIdempotencyKey("x-id"), httpsink.WithHeader("X-Id", "1")},
		"WithIdempotencyKey(\"Idempotency-Key\") and With": {httpsink.WithHeader("idempotency-key", "1")},
		"WithClient: the client is nil":                    {httpsink.WithClient(nil)},
		"WithRequest: the function is nil":                 {httpsink.WithRequest(nil)},
		"WithResults: the function is nil":                 {httpsink.WithResults(nil)},
		"WithMaxResponse(0): must be at least 1":           {httpsink.WithMaxResponse(0)},
		"WithTransient(413): must be from 300 to 499":      {httpsink.WithTransient(404, 413)},
		"WithTransient(200): must be":                      {httpsink.WithTransient(200)},
		"WithTransient(500): must be":                      {httpsink.WithTransient(500)},
		"WithEncoder: the function is nil":                 {httpsink.WithEncoder[int]("a", nil)},
		"WithJSONEncoder: the function is nil":             {httpsink.WithJSONEncoder[int](nil)},
		"WithJSONEncoder: its function is a func([]uint8, string) ([]uint8, error), but this sink needs a func([]uint8, int) ([]uint8, error)": {httpsink.WithJSONEncoder(stringItem)},
	} {
		sink, err := httpsink.New[int]("http://localhost", opts...)
		assert.Nil(t, sink)
		if assert.ErrorIs(t, err, batcher.ErrConfig, want) {
			assert.Regexp(t, "^httpsink: ", err.Error())
			assert.Contains(t, err.Error(), want)
			assert.NotContains(t, err.Error(), "s3cret")
			assert.Len(t, strings.Split(err.Error(), "\n"), 2, "one fault: %v", err)
		}
	}
}

func TestAllFaultsComeInOneError(t *testing.T) {
	_, err := httpsink.New[int]("ftp://localhost", httpsink.WithGzip(0), httpsink.WithMaxResponse(-1), nil)
	require.ErrorIs(t, err, batcher.ErrConfig)
	assert.Len(t, strings.Split(err.Error(), "\n"), 5)
}

func TestBadURLsAreRefusedWithoutShowingThem(t *testing.T) {
	for url, want := range map[string]string{
		"":                               "must begin with http:// or https://",
		"localhost:8080/in":              "must begin with",
		"s3cret:s3cret@localhost":        "must begin with",
		"//s3cret@localhost":             "must begin with",
		"/in":                            "must begin with",
		"ftp://s3cret@localhost":         "the scheme is \"ftp\", and must be http or https",
		"http:s3cret":                    "must begin with",
		"http:///in":                     "has no host",
		"http://s3cret@/in":              "has no host",
		"http://:8080/in":                "has no host",
		"http://u:s3cret%zz@localhost":   "cannot be parsed",
		"http://u:s3cret/x@localhost":    "cannot be parsed",
		"http://localhost:s3cret":        "cannot be parsed",
		"http://u:s3cret@[::1":           "cannot be parsed",
		"http://u:s3cret@local host/":    "cannot be parsed",
		"http://localhost/\x00?k=s3cret": "cannot be parsed",
	} {
		_, err := httpsink.New[int](url)
		if assert.ErrorIs(t, err, batcher.ErrConfig, url) {
			assert.Contains(t, err.Error(), want, url)
			assert.NotContains(t, err.Error(), "s3cret")
		}
	}
	for _, url := range []string{"http://localhost", "HTTPS://user:p@[::1]:1/a?b#c", "http://unix"} {
		_, err := httpsink.New[int](url)
		assert.NoError(t, err, url)
	}
}

func TestGoodOptionsAreTaken(t *testing.T) {
	_, err := httpsink.New[int]("http://localhost",
		httpsink.WithGzip(-1), httpsink.WithMethod("PATCH"), httpsink.WithHeader("A", ""), httpsink.WithHeader("B", "\té"),
		httpsink.WithClient(http.DefaultClient), httpsink.WithIdempotencyKey(""), httpsink.WithHeader("Idempotency-Key", "fixed"),
		httpsink.WithTransient(), httpsink.WithMaxResponse(math.MaxInt),
	)
	assert.NoError(t, err)
	http.DefaultClient.CloseIdleConnections()
}
