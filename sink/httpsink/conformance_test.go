package httpsink_test

// The suite that every sink passes.

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// store is a server that takes each idempotency key once, and hangs on command.
type store struct {
	byID bool // takes each item once, too

	mu    sync.Mutex
	known map[string]bool
	items []string
	hang  chan struct{} // nil: it does not hang. Closed to go on
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang // and then it stores, whether or not the client is still there
	}
	body, zipErr := decompressed(r.Header.Get("Content-Encoding"), raw)
	if err != nil || zipErr != nil {
		w.WriteHeader(400)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := r.Header.Get("Idempotency-Key"); !s.known[key] {
		s.known[key] = true
		for _, item := range strings.Fields(body) {
			if !s.byID || !slices.Contains(s.items, item) {
				s.items = append(s.items, item)
			}
		}
	}
}

func (s *store) setHang(hang chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = hang
}

// target opens a store, and a sink that writes to it.
func target(t testing.TB, byID bool, opts ...httpsink.Option) batchertest.Target[int] {
	s := &store{byID: byID, known: make(map[string]bool)}
	server := httptest.NewServer(s)
	sink, err := httpsink.New[int](server.URL, opts...)
	require.NoError(t, err)
	return batchertest.Target[int]{
		Write: sink.Write,
		Stored: func(testing.TB) []string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return append([]string(nil), s.items...)
		},
		Hang: func(testing.TB) func() {
			hang := make(chan struct{})
			s.setHang(hang)
			return sync.OnceFunc(func() {
				s.setHang(nil)
				close(hang)
			})
		},
		Close: func() {
			sink.Close()
			server.Close()
		},
	}
}

func appendAny(dst []byte, item int) ([]byte, error) {
	if item < 0 {
		return nil, errDown
	}
	return strconv.AppendInt(dst, int64(item), 10), nil
}

func TestConformance(t *testing.T) {
	const secret = "Bearer s3cret"
	common := []httpsink.Option{httpsink.WithJSONEncoder(appendAny), httpsink.WithHeader("Authorization", secret)}
	for name, c := range map[string]struct {
		byID  bool
		extra []httpsink.Option
	}{
		"plain": {},
		"gzip":  {extra: []httpsink.Option{httpsink.WithGzip(1)}},
		"zstd":  {extra: []httpsink.Option{httpsink.WithZstd(1)}},
		"by id": {byID: true}, // of the item: a Write outside of a batcher has a key of its own
	} {
		opts := slices.Concat(common, c.extra)
		t.Run(name, func(t *testing.T) {
			suite := batchertest.SinkTest[int]{
				Open:       func(t testing.TB) batchertest.Target[int] { return target(t, c.byID, opts...) },
				Item:       func(i int) int { return i },
				Key:        strconv.Itoa,
				BadItem:    func(i int) int { return -1 - i },
				Idempotent: c.byID,
				Ordered:    true,
				Secrets:    []string{secret, "s3cret"},
			}
			if name == "plain" { // they do not depend on the body
				suite.Failures = failures
			}
			batchertest.TestSink(t, suite)
		})
	}
}

// provoke returns what Write says to a server that answers so.
func provoke(code int, header ...string) func(testing.TB) error {
	return func(t testing.TB) error {
		_, url := record(t, func(w http.ResponseWriter, r *request, _ int) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			http.Error(w, r.Header.Get("Authorization"), code)
		})
		sink := open[int](t, url, httpsink.WithHeader("Authorization", "Bearer s3cret"))
		return sink.Write(t.Context(), []int{1, 2})
	}
}

var failures = []batchertest.Failure{
	{Name: "the server is overloaded and says until when", Provoke: provoke(503, "Retry-After", "30"), Want: batchertest.Throttled},
	{Name: "too many requests", Provoke: provoke(429, "Retry-After", "1"), Want: batchertest.Throttled},
	{Name: "too many requests, without a hint", Provoke: provoke(429), Want: batchertest.Transient},
	{Name: "the server failed", Provoke: provoke(500), Want: batchertest.Transient},
	{Name: "the gateway has no server", Provoke: provoke(502), Want: batchertest.Transient},
	{Name: "the token has expired", Provoke: provoke(401), Want: batchertest.Transient},
	{Name: "the body is too large", Provoke: provoke(413), Want: batchertest.TooLarge},
	{Name: "the items are refused", Provoke: provoke(422), Want: batchertest.Permanent},
	{Name: "the service has moved", Provoke: provoke(301, "Location", "/there"), Want: batchertest.Permanent},
	{Name: "some items are refused", Want: batchertest.Partial, Provoke: func(t testing.TB) error {
		_, url := record(t, status(200, `{"items":[{"index":{"status":201}},{"index":{"status":400}}]}`))
		return open[int](t, url, httpsink.WithResults(httpsink.ElasticsearchBulk)).Write(t.Context(), []int{1, 2})
	}},
	{Name: "nobody listens", Want: batchertest.Transient, Provoke: func(t testing.TB) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		return open[int](t, "http://"+l.Addr().String()).Write(t.Context(), []int{1, 2})
	}},
}
