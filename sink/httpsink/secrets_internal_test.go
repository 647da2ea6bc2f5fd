package httpsink

// What counts as a secret, and how it may be spelled.

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretsAreRecognised(t *testing.T) {
	for _, c := range []struct{ target, header, value, text, want string }{
		{"", "Authorization", "Bearer abcdef12", "token abcdef12, Bearer abcdef12", "token ***, ***"},
		{"", "Authorization", "Basic d2lsbWE6cGFzc3dvcmQ=", "wilma:password, password, d2lsbWE6cGFzc3dvcmQ", "***, ***, ***"},
		{"", "Authorization", "Key a b c d", "key a b c d", "key ***"},
		{"", "Cookie", `session=cookievalue; other="quoted"`, "no session cookievalue, quoted", "no *** ***, ***"},
		{"", "X-Key", "abcd", "abcd", "***"},
		{"", "X-Version", "1", "version 1 of 1", "version 1 of 1"},
		{"", "X-Key", "a/b+c d", "a%2Fb%2Bc+d a%2Fb+c%20d", "*** ***"},
		{"", "X-Key", "a\"b<c", `{"key":"a\"b\u003cc"}`, `{"key":"***"}`},
		{"", "User-Agent", "some agent", "some agent", "some agent"},
		{"", "X-Id", "0123-4567", "0123-4567", "0123-4567"}, // the sink's own key
		{"//user:pass@host", "A", "", "user pass user:pass dXNlcjpwYXNz", "*** *** ***:*** ***"},
		{"//user@host", "A", "", "user dXNlcjo=", "*** ***"},
		{"//host?a=1234%205678&b=xyz;c=tail&bare", "A", "", "1234%205678 1234 5678 xyz tail bare", "*** *** xyz *** ***"},
		{"//host?a=%zz%zz", "A", "", "%zz%zz", "***"},
	} {
		u, err := url.Parse("http:" + c.target)
		require.NoError(t, err)
		s := &Sink[int]{keys: newKeys("x-id")}
		got := s.secretsOf(&http.Request{URL: u, Header: http.Header{c.header: {c.value}}}).blotOut(c.text)
		assert.Equal(t, c.want, got, "%+v", c)
	}
}

func TestTheLongestSecretIsBlottedOut(t *testing.T) {
	assert.Equal(t, "*** ***", secrets{"abcd", "abcdef", "abcd"}.spelled().blotOut("abcdef abcd"))
}

func TestTheSinksTransportIsTheDefaultOneButForItsLimits(t *testing.T) {
	was := http.DefaultTransport
	defer func() { http.DefaultTransport = was }()
	proxied := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy") }}
	for _, transport := range []http.RoundTripper{was, proxied, http.NewFileTransport(nil)} {
		http.DefaultTransport = transport
		mine := newTransport()
		assert.False(t, transport == http.RoundTripper(mine), "Close is not to close the connections of others")
		assert.Equal(t, idleConnections, mine.MaxIdleConnsPerHost)
		assert.GreaterOrEqual(t, mine.MaxIdleConns, mine.MaxIdleConnsPerHost)
		assert.Equal(t, writeBuffer, mine.WriteBufferSize)
		require.NotNil(t, mine.Proxy)
	}
	http.DefaultTransport = proxied
	proxy, err := newTransport().Proxy(nil)
	require.NoError(t, err)
	assert.Equal(t, "http://proxy", proxy.String())
}
