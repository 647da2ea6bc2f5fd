package httpsink_test

// The benchmarks behind the README. Each has its baseline in the same run, as another value of impl.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	stdgzip "compress/gzip"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// action is an item of some 130 bytes of JSON.
type action struct {
	UserID    string            `json:"user_id"`
	Action    string            `json:"action"`
	Timestamp int64             `json:"timestamp"`
	Metadata  map[string]string `json:"metadata"`
}

// actions returns n of them, the same in every run, no two alike.
func actions(n int) []action {
	verbs := []string{"login", "view", "click", "purchase", "logout"}
	agents := []string{"Firefox/128.0", "Chrome/126.0", "Safari/17.5"}
	items := make([]action, n)
	for i := range items {
		h := uint64(i+1) * 0x9e3779b97f4a7c15 // scattered, as ids are
		items[i] = action{
			UserID:    fmt.Sprintf("user-%06d", h>>44%100_000),
			Action:    verbs[h>>32%5],
			Timestamp: 1_760_000_000_000 + int64(i)*17 + int64(h>>50%13),
			Metadata: map[string]string{
				"ip":    fmt.Sprintf("10.0.%d.%d", h>>24&3, h>>16&255),
				"agent": agents[h>>8%3],
			},
		}
	}
	return items
}

// appendAction is an encoder as one writes it by hand. The strings are known to need no escapes.
func appendAction(dst []byte, a action) ([]byte, error) {
	dst = append(dst, `{"user_id":"`...)
	dst = append(dst, a.UserID...)
	dst = append(dst, `","action":"`...)
	dst = append(dst, a.Action...)
	dst = append(dst, `","timestamp":`...)
	dst = strconv.AppendInt(dst, a.Timestamp, 10)
	dst = append(dst, `,"metadata":{`...)
	first := true
	for key, value := range a.Metadata {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = append(dst, key...)
		dst = append(dst, `":"`...)
		dst = append(dst, value...)
		dst = append(dst, '"')
	}
	return append(dst, `}}`...), nil
}

func TestTheEncoderOfTheBenchmarkIsRight(t *testing.T) {
	total := 0
	for _, item := range actions(1000) {
		got, err := appendAction(nil, item)
		require.NoError(t, err)
		var back action
		require.NoError(t, json.Unmarshal(got, &back))
		require.Equal(t, item.UserID+item.Action, back.UserID+back.Action)
		require.True(t, item.Timestamp == back.Timestamp && maps.Equal(item.Metadata, back.Metadata))
		total += len(got) + 1
	}
	require.InDelta(t, 130, total/1000, 10)
}

// sender is how one implementation writes a batch with a client.
type sender struct {
	impl string
	make func(url string, client *http.Client) batcher.FlushFunc[action]
}

// senders are the ones compared. std-gzip is the baseline of the claim on CPU time, std-json of the
// one on bytes.
func senders() []sender {
	encoder := httpsink.WithJSONEncoder(appendAction)
	sink := func(opts ...httpsink.Option) func(string, *http.Client) batcher.FlushFunc[action] {
		return func(url string, client *http.Client) batcher.FlushFunc[action] {
			s, err := httpsink.New[action](url, slices.Concat(opts, []httpsink.Option{httpsink.WithClient(client)})...)
			if err != nil {
				panic(err)
			}
			return s.Write
		}
	}
	return []sender{
		{"std-gzip", standard(true, stdgzip.DefaultCompression)},
		{"std-gzip-1", standard(true, stdgzip.BestSpeed)},
		{"std-json", standard(false, 0)},
		{"httpsink-plain", sink(encoder)},
		{"httpsink-gzip", sink(encoder, httpsink.WithGzip(1))},
		{"httpsink-zstd", sink(encoder, httpsink.WithZstd(1))},
		{"httpsink-zstd-3", sink(encoder, httpsink.WithZstd(3))},
		{"httpsink-json-zstd", sink(httpsink.WithZstd(1))}, // encoding/json
	}
}

// standard is what one writes with the standard library: json.Marshal, and a gzip.Writer for each
// batch.
func standard(zip bool, level int) func(string, *http.Client) batcher.FlushFunc[action] {
	return func(url string, client *http.Client) batcher.FlushFunc[action] {
		return func(ctx context.Context, batch []action) error {
			body, err := json.Marshal(batch)
			if err != nil {
				return err
			}
			if zip {
				var buf bytes.Buffer
				zw, _ := stdgzip.NewWriterLevel(&buf, level)
				_, _ = zw.Write(body)
				_ = zw.Close()
				body = buf.Bytes()
			}
			return post(ctx, client, url, body, zip)
		}
	}
}

func post(ctx context.Context, client *http.Client, url string, body []byte, zip bool) error {
	req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if zip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

const perBatch = 1000

// BenchmarkEncode is encoding, compression and everything else but the network: a transport drains
// the body.
func BenchmarkEncode(b *testing.B) {
	for _, s := range senders() {
		b.Run("impl="+s.impl, func(b *testing.B) {
			count := new(counting)
			write := s.make("http://localhost", &http.Client{Transport: count})
			measure(b, write, &count.bytes)
		})
	}
}

// BenchmarkLoopback is the same over TCP to a server in this process that discards the body. Its
// CPU time is counted too.
func BenchmarkLoopback(b *testing.B) {
	for _, s := range senders() {
		b.Run("impl="+s.impl, func(b *testing.B) {
			var received atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				n, _ := io.Copy(io.Discard, r.Body)
				received.Add(n)
			}))
			defer server.Close()
			measure(b, s.make(server.URL, server.Client()), &received)
		})
	}
}

// measure writes batches, and reports per item: the time, the CPU time of the whole process, and the
// bytes sent.
func measure(b *testing.B, write batcher.FlushFunc[action], sent *atomic.Int64) {
	ctx := context.Background()
	batch := actions(perBatch)
	if err := write(ctx, batch); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	cpu, before := cpuTime(), sent.Load()
	for range b.N {
		if err := write(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	items := float64(b.N * perBatch)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/items, "ns/item")
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/items, "cpu-ns/item")
	b.ReportMetric(float64(sent.Load()-before)/items, "bytes/item")
}

// counting is a transport that reads the body to its end, as the contract asks, and answers 200.
type counting struct{ bytes atomic.Int64 }

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	n, err := io.Copy(io.Discard, req.Body)
	req.Body.Close()
	c.bytes.Add(n)
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, err
}
