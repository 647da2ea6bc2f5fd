package httpsink_test

// Redirects: followed if the batch goes with them, and only then.

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// redirect answers requests for / with the status and the location, and others with 200.
func redirect(code int, location string) func(http.ResponseWriter, *request, int) {
	return func(w http.ResponseWriter, r *request, _ int) {
		if r.URL.Path == "/" {
			w.Header().Set("Location", location)
			w.WriteHeader(code)
		}
	}
}

func TestARedirectIsFollowedOnlyWithTheBatch(t *testing.T) {
	for _, method := range []string{"POST", "PUT"} {
		for _, code := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
			rec, url := record(t, redirect(code, "/there"))
			sink := open[int](t, url+"/", httpsink.WithMethod(method))
			err := sink.Write(t.Context(), []int{1})
			if code == 307 || code == 308 {
				require.NoError(t, err)
				assert.Equal(t, []string{"1\n", "1\n"}, rec.bodies())
				first, second := rec.all()[0], rec.all()[1]
				assert.Equal(t, method, second.Method)
				assert.Equal(t, "/there", second.URL.Path)
				assert.Equal(t, first.Header.Get("Idempotency-Key"), second.Header.Get("Idempotency-Key"))
				continue
			}
			assert.Equal(t, "permanent", verdict(err), "status %d: %v", code, err)
			assert.Len(t, rec.all(), 1, "a GET without the batch would be taken for a success")
		}
	}
}

func TestARedirectThatCannotBeFollowedIsAnAnswer(t *testing.T) {
	rec, url := record(t, redirect(307, ""))
	assert.Equal(t, "permanent", verdict(open[int](t, url+"/").Write(t.Context(), []int{1})))

	loop, loopURL := record(t, redirect(308, "/"))
	err := open[int](t, loopURL+"/").Write(t.Context(), []int{1})
	assert.Equal(t, "permanent", verdict(err))
	assert.ErrorContains(t, err, "status 308 Permanent Redirect: too many redirects")
	assert.Len(t, loop.all(), 10)
	assert.Len(t, rec.all(), 1)
}

func TestTheClientsOwnRulesForRedirectsHold(t *testing.T) {
	rec, url := record(t, redirect(307, "/there"))
	for fault, want := range map[error]string{http.ErrUseLastResponse: "307", errDown: "down"} {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return fault }}
		err := open[int](t, url+"/", httpsink.WithClient(client)).Write(t.Context(), []int{1})
		assert.Equal(t, "permanent", verdict(err))
		assert.ErrorContains(t, err, want)
		var refused *httpsink.StatusError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, 307, refused.Status)
	}
	assert.Len(t, rec.all(), 2)
	http.DefaultClient.CloseIdleConnections()
}

func TestSecretsAreNotSentToAnotherHost(t *testing.T) {
	there, thereURL := record(t, nil)
	thereURL = strings.Replace(thereURL, "127.0.0.1", "localhost", 1)
	_, url := record(t, redirect(307, thereURL+"/there"))
	hook := httpsink.WithRequest(func(r *http.Request) error { r.Header.Set("X-Signature", "s3cret"); return nil })
	opts := []httpsink.Option{
		httpsink.WithHeader("Authorization", "Bearer s3cret"), httpsink.WithHeader("X-Api-Key", "s3cret"), hook,
		httpsink.WithHeader("User-Agent", "ua"), httpsink.WithGzip(1), httpsink.WithIdempotencyKey("x-key"),
	}
	require.NoError(t, open[int](t, url+"/?token=s3cret", opts...).Write(t.Context(), []int{1}))
	got := there.all()[0]
	assert.Equal(t, "1\n", got.body)
	for name, values := range got.Header {
		assert.NotContains(t, strings.Join(values, ""), "s3cret", name)
	}
	assert.Equal(t, "ua", got.Header.Get("User-Agent"))
	assert.Equal(t, "application/x-ndjson", got.Header.Get("Content-Type"))
	assert.Len(t, got.Header.Get("X-Key"), 36)

	putBack := &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
		req.Header.Set("X-Api-Key", via[0].Header.Get("X-Api-Key"))
		return nil
	}}
	defer http.DefaultClient.CloseIdleConnections()
	opts = append(opts, httpsink.WithClient(putBack))
	require.NoError(t, open[int](t, url+"/", opts...).Write(t.Context(), []int{1}))
	assert.Equal(t, "s3cret", there.all()[1].Header.Get("X-Api-Key"))
	assert.Empty(t, there.all()[1].Header.Get("X-Signature"))
}

func TestAtTheSameHostHeadersAreKept(t *testing.T) {
	rec, url := record(t, redirect(307, "/there"))
	sink := open[int](t, url+"/", httpsink.WithHeader("X-Api-Key", "s3cret"))
	require.NoError(t, sink.Write(t.Context(), []int{1}))
	assert.Equal(t, "s3cret", rec.all()[1].Header.Get("X-Api-Key"))
}

func TestARedirectDoesNotLeaveTLS(t *testing.T) {
	rec, plainURL := record(t, nil)
	server := httptest.NewTLSServer(http.RedirectHandler(plainURL, http.StatusTemporaryRedirect))
	defer server.Close()
	err := open[int](t, server.URL, httpsink.WithClient(server.Client())).Write(t.Context(), []int{1})
	assert.Equal(t, "permanent", verdict(err))
	assert.Empty(t, rec.all())
}

func TestTheClientIsNotChanged(t *testing.T) {
	client := new(http.Client)
	open[int](t, "http://localhost", httpsink.WithClient(client))
	assert.Equal(t, http.Client{}, *client)
}

func TestARedirectToNowhereIsTransient(t *testing.T) {
	for _, location := range []string{"http://%zz/", "gopher://localhost/"} {
		_, url := record(t, redirect(307, location))
		err := open[int](t, url+"/").Write(t.Context(), []int{1})
		assertTransient(t, err)
		assert.False(t, errors.Is(err, batcher.ErrConfig))
	}
}
