package httpsink

// The client: the sink's own transport, and which redirects are followed.

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	// idleConnections is how many the sink's own client keeps: one for each worker of any
	// batcher in its right mind. They are closed when idle for long.
	idleConnections = 256

	// writeBuffer makes one system call of most bodies. Each connection has one.
	writeBuffer = 64 << 10

	maxRedirects = 10 // as net/http has it
)

// newTransport returns the transport of a client of the sink's own. It keeps what the program has
// made of http.DefaultTransport, its proxies for instance. It is not that one itself: Close is to
// close the sink's connections and no others.
func newTransport() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if ok {
		t = t.Clone()
	} else {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	}
	t.MaxIdleConns, t.MaxIdleConnsPerHost = idleConnections, idleConnections
	t.WriteBufferSize = writeBuffer
	return t
}

// guardRedirects returns a copy of client that follows a redirect only if the batch goes with it:
// net/http turns a POST that is answered by 301, 302 or 303 into a GET without a body, whose 200
// would pass for a batch written. What it does not follow is an answer like others. It also does
// not leave https, and leaves behind at the host what was meant for it.
func guardRedirects(client *http.Client, keyHeader string) *http.Client {
	guarded := *client
	theirs := client.CheckRedirect
	guarded.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		err := http.ErrUseLastResponse
		if batchFollows(req, via[len(via)-1]) {
			if !strings.EqualFold(req.URL.Hostname(), via[0].URL.Hostname()) {
				strip(req.Header, keyHeader)
			}
			err = allowed(theirs, req, via)
		}
		if err == http.ErrUseLastResponse && req.Body != nil {
			req.Body.Close() // net/http forgets it
		}
		return err
	}
	return &guarded
}

// batchFollows reports whether req, to which last was redirected, carries the batch, and as safely.
func batchFollows(req, last *http.Request) bool {
	return req.Body != nil && req.Method == last.Method && !leavesTLS(last.URL, req.URL)
}

func leavesTLS(from, to *url.URL) bool { return from.Scheme == "https" && to.Scheme != "https" }

// strip removes the headers that may be secret: all but those that the batch needs. net/http does
// so with Authorization and cookies, but an X-Api-Key looks like any header, and the Referer that
// it sets repeats the query. A list of what is allowed errs to the safe side.
func strip(h http.Header, keyHeader string) {
	for name := range h {
		if name != canonical(keyHeader) && !slices.Contains(harmlessHeaders, name) {
			delete(h, name)
		}
	}
}

// harmlessHeaders are not secret: not blotted out of errors, and sent to other hosts.
var harmlessHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Content-Encoding", "Content-Type", "User-Agent",
}

// allowed asks the client's own CheckRedirect.
func allowed(theirs func(*http.Request, []*http.Request) error, req *http.Request, via []*http.Request) error {
	if theirs != nil {
		return theirs(req, via)
	}
	if len(via) >= maxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}
