package httpsink

// Options: what can be chosen, what is chosen when nothing is said, and what is refused.

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// Option configures a sink; see the With functions. An option given twice counts as last given,
// except [WithHeader] and [WithTransient], which add up. The order does not matter otherwise.
type Option func(*config)

// config holds what the options said. Functions of T are kept as any until New knows T.
type config struct {
	array       bool
	jsonItem    any // func([]byte, T) ([]byte, error), of WithJSONEncoder
	rawItem     any // the same, of WithEncoder
	contentType string
	framing     framing
	framingSet  bool

	gzip, zstd       int
	gzipSet, zstdSet bool

	method      string
	headers     http.Header
	host        string
	keyHeader   string
	client      *http.Client
	hook        func(*http.Request) error
	results     func(resp *Response, n int) error
	maxResponse int
	status      classifier

	clientSet, hookSet, resultsSet bool

	badHeaders  []error
	badStatuses []error
}

// newConfig returns the defaults with opts applied, and what is wrong with it.
func newConfig(opts []Option) (*config, []error) {
	c := &config{
		method:      http.MethodPost,
		headers:     make(http.Header),
		keyHeader:   "Idempotency-Key", // the name in the IETF's draft, which the APIs use that have one
		maxResponse: 16 << 20,          // Elasticsearch says some 200 bytes of each item
		status:      newClassifier(),
	}
	var faults []error
	for i, opt := range opts {
		if opt == nil {
			faults = append(faults, fmt.Errorf("option %d of %d is nil", i+1, len(opts)))
			continue
		}
		opt(c)
	}
	return c, append(faults, c.faults()...)
}

// faults lists everything that is wrong with c, as far as it can be told without T.
func (c *config) faults() []error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	raw, jsonItem := c.rawItem != nil, c.jsonItem != nil
	fault(raw && jsonItem, "WithEncoder and WithJSONEncoder: an item has one encoder")
	fault(raw && c.array, "WithEncoder and WithJSONArray: the array needs WithJSONEncoder")
	fault(raw && (c.contentType == "" || !validHeaderValue(c.contentType)),
		"WithEncoder(%q): not a content type", c.contentType)
	fault(c.framingSet && !raw, "WithFraming: needs WithEncoder; NDJSON and the JSON array have their own")
	fault(c.gzipSet && c.zstdSet, "WithGzip and WithZstd: a body has one compression")
	fault(c.gzipSet && c.gzip != defaultGzip && (c.gzip < 1 || c.gzip > 9),
		"WithGzip(%d): must be from 1 to 9, or -1", c.gzip)
	fault(c.zstdSet && (c.zstd < 1 || c.zstd > 22), "WithZstd(%d): must be from 1 to 22", c.zstd)
	methods := []string{http.MethodPost, http.MethodPut, http.MethodPatch}
	fault(!slices.Contains(methods, c.method), "WithMethod(%q): must be POST, PUT or PATCH", c.method)
	fault(c.keyHeader != "" && !validHeaderName(c.keyHeader),
		"WithIdempotencyKey(%q): not the name of a header", c.keyHeader)
	fault(c.keyHeader != "" && c.headers[canonical(c.keyHeader)] != nil,
		"WithIdempotencyKey(%q) and WithHeader: all batches would have the same key", c.keyHeader)
	fault((c.gzipSet || c.zstdSet) && c.headers["Content-Encoding"] != nil,
		"WithHeader(\"Content-Encoding\"): the compression sets it")
	fault(c.clientSet && c.client == nil, "WithClient: the client is nil")
	fault(c.hookSet && c.hook == nil, "WithRequest: the function is nil")
	fault(c.resultsSet && c.results == nil, "WithResults: the function is nil")
	fault(c.maxResponse < 1, "WithMaxResponse(%d): must be at least 1", c.maxResponse)
	return slices.Concat(faults, c.badHeaders, c.badStatuses)
}

// typed returns the encoder that an option stored as any, nil if the option was not given, and a
// fault if it is nil or was made for another T.
func typed[F any](option string, stored any) (f F, fault error) {
	if stored == nil {
		return f, nil
	}
	f, ok := stored.(F)
	switch {
	case !ok:
		return f, fmt.Errorf("%s: its function is a %T, but this sink needs a %T", option, stored, f)
	case reflect.ValueOf(stored).IsNil():
		return f, fmt.Errorf("%s: the function is nil", option)
	}
	return f, nil
}

// configError joins faults into one error that wraps batcher.ErrConfig.
func configError(faults []error) error {
	return fmt.Errorf("httpsink: %w:\n%w", batcher.ErrConfig, errors.Join(faults...))
}

// WithJSONArray sends a batch as one JSON array, as application/json. Default is NDJSON: a JSON
// value and a line feed for each item, as application/x-ndjson. NDJSON is easier on servers, which
// can read it in a stream.
func WithJSONArray() Option { return func(c *config) { c.array = true } }

// WithJSONEncoder makes encode append the JSON of an item, in place of encoding/json, for NDJSON
// and the JSON array. An encoder written or generated for the type is several times faster.
//
// encode appends one JSON value to dst, which is empty but for its capacity, and returns it, as
// append does; it may also return a slice of its own. One line feed at the end is cut off. That it
// is JSON is not checked, but an item fails, for good and alone, if
// encode returns an error or nothing, or, for NDJSON, a value with a line feed in it.
//
// It runs on the batcher's worker, once for each item of an attempt, from several goroutines at
// once if there are several workers. It must not keep dst. A panic is one of Write.
func WithJSONEncoder[T any](encode func(dst []byte, item T) ([]byte, error)) Option {
	return func(c *config) { c.jsonItem = encode }
}

// WithEncoder sends what encode appends for each item, one after the other and as it is, with
// contentType as the Content-Type: for CSV, length-prefixed Protobuf, or the two lines for each
// item of an Elasticsearch bulk request. [WithFraming] puts something between. An item for which
// encode appends nothing would not be sent at all, so it fails. For the rest, encode is as in
// [WithJSONEncoder].
func WithEncoder[T any](contentType string, encode func(dst []byte, item T) ([]byte, error)) Option {
	return func(c *config) { c.rawItem, c.contentType = encode, contentType }
}

// WithFraming goes with [WithEncoder]: the body begins with prefix, has separator between two
// items, and ends with suffix. Each may be empty, which is the default.
func WithFraming(prefix, separator, suffix string) Option {
	return func(c *config) { c.framing, c.framingSet = framing{prefix, separator, suffix}, true }
}

// WithGzip compresses bodies with gzip, at a level from 1 (fastest) to 9 (smallest), or -1 for a
// good compromise. Default is no compression. On JSON events, level 1 sends a seventh of the bytes.
// The sink keeps 0.8 to 1.4 MB for each Write that runs at the same time. Excludes [WithZstd].
func WithGzip(level int) Option {
	return func(c *config) { c.gzip, c.gzipSet = level, true }
}

// WithZstd compresses bodies with zstd, at one of the usual levels from 1 (fastest) to 22, of which
// four are told apart: up to 2, up to 5, up to 9, and the rest. Where the server can read it, it is
// smaller than gzip for the same time. The window is 1 MiB, well below the 8 MiB that HTTP allows,
// so that a decoder needs little memory. Default is no compression. Excludes [WithGzip].
//
// The sink keeps memory for each Write that runs at the same time: about 1.5 MB up to level 5 (and 1
// MB more for bodies of many MB), 5.5 MB up to level 9, and 36 MB above.
func WithZstd(level int) Option {
	return func(c *config) { c.zstd, c.zstdSet = level, true }
}

// WithMethod sets the method: POST (the default), PUT or PATCH.
func WithMethod(method string) Option { return func(c *config) { c.method = method } }

// WithHeader sets a header of every request; given again for the same key, the last value counts.
// It may replace the Content-Type, and "Host" sets the host. Content-Length and what else
// belongs to the connection is refused. The value does not appear in errors, nor is it sent to
// another host, see "Redirects" in the package documentation.
func WithHeader(key, value string) Option {
	return func(c *config) {
		switch k := canonical(key); {
		case !validHeaderName(key):
			c.badHeaders = append(c.badHeaders, fmt.Errorf("WithHeader(%q): not the name of a header", key))
		case !validHeaderValue(value):
			c.badHeaders = append(c.badHeaders, fmt.Errorf("WithHeader(%q): the value cannot be sent (control characters)", key))
		case slices.Contains(connectionHeaders, k):
			c.badHeaders = append(c.badHeaders, fmt.Errorf("WithHeader(%q): belongs to the connection", key))
		case k == "Host":
			c.host = value
		default:
			c.headers.Set(k, value)
		}
	}
}

// connectionHeaders are set by net/http, or break it.
var connectionHeaders = []string{
	"Connection", "Content-Length", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// WithIdempotencyKey sets the header that carries the idempotency key, see "Idempotency" in the
// package documentation. Default "Idempotency-Key"; "" sends no key.
func WithIdempotencyKey(header string) Option { return func(c *config) { c.keyHeader = header } }

// WithClient makes requests with the user's client: its transport (TLS, proxies, limits on
// connections, unix sockets), cookie jar and timeout. It is not changed, and redirects are followed
// as the package documentation says and its CheckRedirect allows. Its MaxIdleConnsPerHost should be
// the number of the batcher's workers at least; that of [http.DefaultTransport] is 2. The timeout
// should be 0: the context of each attempt bounds it ([batcher.WithFlushTimeout]).
//
// Default is a client of the sink's own, with the settings of http.DefaultTransport, more idle
// connections and larger buffers.
func WithClient(client *http.Client) Option {
	return func(c *config) { c.client, c.clientSet = client, true }
}

// WithRequest calls f with every request before it is sent: to sign it, or to set a token that
// expires. f may change the header and the URL, and sees everything else set. To read the body, as
// it is sent, it calls req.GetBody, and closes that.
//
// f runs once for each attempt, on the batcher's worker, from several goroutines at once if there
// are several workers, and should heed req.Context. Its error fails the attempt, with the marks
// that it carries; nothing was sent. A panic is one of Write. What it puts into the header does
// not appear in errors, nor is it sent to another host.
func WithRequest(f func(req *http.Request) error) Option {
	return func(c *config) { c.hook, c.hookSet = f, true }
}

// WithResults makes parse judge each answer with a 2xx status, for servers that say there what
// became of each item, as [ElasticsearchBulk] does. n is how many items the request had: fewer than
// the batch if some could not be encoded. parse returns nil if all were written, a
// [*batcher.PartialError] with indexes from 0 to n-1 if some were not, and any other error,
// marked or not, if the batch has failed.
//
// It runs on the batcher's worker, from several goroutines at once if there are several workers,
// and must not keep resp. A panic is one of Write. Default: the status says it all.
func WithResults(parse func(resp *Response, n int) error) Option {
	return func(c *config) { c.results, c.resultsSet = parse, true }
}

// WithMaxResponse bounds the body that the function of [WithResults] is given, in bytes. If an
// answer is longer, the batch has failed, unmarked. At least 1; default 16 MiB.
func WithMaxResponse(bytes int) Option { return func(c *config) { c.maxResponse = bytes } }

// WithTransient adds statuses, from 300 to 499 and not 413, after which a batch is worth another
// attempt, beyond those of the package documentation: 404, say, for a service that is unknown
// while it is deployed, or 409, if it means that an earlier attempt is still being worked on.
func WithTransient(statuses ...int) Option {
	return func(c *config) {
		for _, status := range statuses {
			if status < 300 || status > 499 || status == http.StatusRequestEntityTooLarge {
				c.badStatuses = append(c.badStatuses,
					fmt.Errorf("WithTransient(%d): must be from 300 to 499, and not 413", status))
				continue
			}
			c.status.transient[status] = true
		}
	}
}

// template returns the request that all requests are copies of.
func (c *config) template(target *url.URL, contentType string) *http.Request {
	header := c.headers.Clone()
	if header["Content-Type"] == nil {
		header.Set("Content-Type", contentType)
	}
	if name := c.compression().name; name != "" {
		header.Set("Content-Encoding", name)
	}
	return &http.Request{
		Method: c.method, URL: target, Host: c.host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

func canonical(key string) string { return textproto.CanonicalMIMEHeaderKey(key) }
