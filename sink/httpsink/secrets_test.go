package httpsink_test

// No secret gets into an error.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// echo answers 400 with all that a server may know of the client.
func echo(w http.ResponseWriter, r *request, _ int) {
	w.WriteHeader(400)
	user, password, _ := r.BasicAuth()
	header, _ := json.Marshal(r.Header)
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for _, part := range []string{r.RequestURI, string(header), user, password, token, r.FormValue("key")} {
		_, _ = w.Write([]byte(part + "\n"))
	}
}

func TestSecretsAreBlottedOutOfTheExcerpt(t *testing.T) {
	_, url := record(t, echo)
	url = strings.Replace(url, "http://", "http://wilma:p%40ss%2Fword@", 1) + "/in?key=qu%20ery&baretoken"
	sink := open[int](t, url,
		httpsink.WithHeader("X-Api-Key", `hea"der`),
		httpsink.WithHeader("Cookie", "session=cookievalue; other=1"),
		httpsink.WithRequest(func(r *http.Request) error { r.Header.Set("X-Signature", "ho/ok=="); return nil }),
	)
	err := sink.Write(t.Context(), []int{1})
	var refused *httpsink.StatusError
	require.ErrorAs(t, err, &refused)
	basic := base64.StdEncoding.EncodeToString([]byte("wilma:p@ss/word"))
	for _, secret := range []string{"wilma", "p@ss", "p%40ss", basic, "qu ery", "qu%20ery", "qu+ery", "baretoken", `hea"der`, `hea\"der`, "cookievalue", "ho/ok"} {
		assert.NotContains(t, err.Error(), secret)
		assert.NotContains(t, refused.Body, secret)
	}
	assert.Contains(t, refused.Body, "***")
	assert.Contains(t, refused.Body, "application/x-ndjson", "what is no secret stays legible")
	assert.Regexp(t, `"Idempotency-Key":\["[0-9a-f-]{36}"\]`, refused.Body)
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/in\?key=\*\*\*&\*\*\*$`, refused.URL)

	bearer := open[int](t, url, httpsink.WithHeader("Authorization", "Bearer tokentoken"))
	assert.NotContains(t, bearer.Write(t.Context(), []int{1}).Error(), "tokentoken")
}

// The end of what is read may cut a secret in two.
func TestTheBeginningOfASecretIsBlottedOutToo(t *testing.T) {
	const secret = "0123456789abcdef"
	for shift := range len(secret) {
		body := strings.Repeat(" ", 4096-16*len(secret)-shift) + strings.Repeat(secret, 100)
		_, url := record(t, status(500, body))
		err := open[int](t, url, httpsink.WithHeader("X-Api-Key", secret)).Write(t.Context(), []int{1})
		assert.NotContains(t, err.Error(), "0123")
		assert.Contains(t, err.Error(), "***")
	}
}

// faulty is a transport that fails.
type faulty struct{ err error }

func (f faulty) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Body.Close()
	return nil, f.err
}

// silent is a transport that says nothing but a status.
type silent int

func (s silent) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Body.Close()
	return &http.Response{StatusCode: int(s), Body: http.NoBody}, nil
}

func TestATransportThatDoesNotSayWhatItAnswersIsForgiven(t *testing.T) {
	client := httpsink.WithClient(&http.Client{Transport: silent(500)})
	err := open[int](t, "http://u:p@localhost/in", client).Write(t.Context(), []int{1})
	assert.EqualError(t, err, "httpsink: POST http://localhost/in: status 500 Internal Server Error")
}

func TestSecretsAreBlottedOutOfErrorsOfTheTransport(t *testing.T) {
	write := func(fault error) error {
		sink := open[int](t, "https://wilma:password@localhost/in?key=query1",
			httpsink.WithHeader("Authorization", "Bearer token1"),
			httpsink.WithClient(&http.Client{Transport: faulty{fault}}))
		return sink.Write(t.Context(), []int{1})
	}
	err := write(errors.New("proxy says: wilma password query1 Bearer token1 token1"))
	assertTransient(t, err)
	assert.EqualError(t, err, "httpsink: POST https://localhost/in?key=***: proxy says: *** *** *** *** ***")
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		assert.NotContains(t, inner.Error(), "token1")
	}
	err = write(errors.Join(context.DeadlineExceeded, errors.New("token1")))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotContains(t, err.Error(), "token1")

	err = write(errDown)
	assert.ErrorIs(t, err, errDown)
	assert.EqualError(t, err, "httpsink: POST https://localhost/in?key=***: down")
}
