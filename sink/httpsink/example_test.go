package httpsink_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/httpsink"
)

// Events are sent as NDJSON, a request for each batch.
func Example() {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s\n%s", r.Method, r.Header.Get("Content-Type"), body)
	}))
	defer collector.Close()

	type Event struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	sink, err := httpsink.New[Event](collector.URL,
		httpsink.WithHeader("Authorization", "Bearer secret"), // and WithZstd(1), if the server can read it
	)
	if err != nil {
		panic(err)
	}
	defer sink.Close()
	b, err := batcher.New(sink.Write,
		batcher.WithMaxSize(1000),
		batcher.WithRetry(8, batcher.ExponentialBackoff(100*time.Millisecond, 30*time.Second)),
	)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	_ = b.Add(ctx, Event{1, "login"})
	_ = b.Add(ctx, Event{2, "logout"})
	if err := b.Close(ctx); err != nil {
		panic(err)
	}
	// Output:
	// POST application/x-ndjson
	// {"id":1,"name":"login"}
	// {"id":2,"name":"logout"}
}

// An encoder that appends is several times faster than encoding/json.
func ExampleWithJSONEncoder() {
	type Point struct {
		Time  time.Time
		Value float64
	}
	appendPoint := func(dst []byte, p Point) ([]byte, error) {
		dst = append(dst, `{"time":"`...)
		dst = p.Time.AppendFormat(dst, time.RFC3339)
		dst = append(dst, `","value":`...)
		dst = strconv.AppendFloat(dst, p.Value, 'g', -1, 64)
		return append(dst, '}'), nil
	}
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println(string(body))
	}))
	defer collector.Close()
	sink, err := httpsink.New[Point](collector.URL,
		httpsink.WithJSONArray(), httpsink.WithJSONEncoder(appendPoint))
	if err != nil {
		panic(err)
	}
	defer sink.Close()
	noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	_ = sink.Write(context.Background(), []Point{{noon, 0.5}, {noon.Add(time.Minute), 1e9}})
	// Output: [{"time":"2030-01-01T12:00:00Z","value":0.5},{"time":"2030-01-01T12:01:00Z","value":1e+09}]
}

// A bulk request of Elasticsearch: two lines for each document, and a result for each in the answer.
// What was refused for a reason of the moment is tried again, by itself; what does not fit is given
// up, and the rest is not affected.
func ExampleElasticsearchBulk() {
	type Doc struct {
		ID   string `json:"-"`
		Size any    `json:"size"`
	}
	answers := []string{
		`{"errors":true,"items":[
			{"create":{"_id":"a","status":201}},
			{"create":{"_id":"b","status":400,"error":{"type":"mapper_parsing_exception","reason":"size is no number"}}},
			{"create":{"_id":"c","status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue full"}}}]}`,
		`{"errors":false,"items":[{"create":{"_id":"c","status":201}}]}`,
	}
	elastic := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s", body)
		fmt.Fprint(w, answers[0])
		answers = answers[1:]
	}))
	defer elastic.Close()

	sink, err := httpsink.New[Doc](elastic.URL+"/docs/_bulk",
		httpsink.WithEncoder("application/x-ndjson", func(dst []byte, d Doc) ([]byte, error) {
			source, err := json.Marshal(d)
			if err != nil {
				return nil, err
			}
			dst = fmt.Appendf(dst, "{\"create\":{\"_id\":%q}}\n", d.ID) // create: a second attempt changes nothing
			return append(append(dst, source...), '\n'), nil
		}),
		httpsink.WithResults(httpsink.ElasticsearchBulk),
	)
	if err != nil {
		panic(err)
	}
	defer sink.Close()
	b, err := batcher.New(sink.Write,
		batcher.WithRetry(5, batcher.ExponentialBackoff(time.Millisecond, time.Second)),
		batcher.WithDeadLetter(func(_ context.Context, l batcher.DeadLetter[Doc]) {
			fmt.Println("given up:", l.Items[0].ID, l.Err)
		}),
	)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	_, _ = b.AddAll(ctx, []Doc{{"a", 1}, {"b", "large"}, {"c", 3}})
	_ = b.Close(ctx)
	// Output:
	// {"create":{"_id":"a"}}
	// {"size":1}
	// {"create":{"_id":"b"}}
	// {"size":"large"}
	// {"create":{"_id":"c"}}
	// {"size":3}
	// given up: b httpsink: bulk: status 400: mapper_parsing_exception: size is no number
	// {"create":{"_id":"c"}}
	// {"size":3}
}

// A server that is overloaded says when to come again. The batcher waits for so long at least.
func Example_retryAfter() {
	requests := 0
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 1 {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "come again", http.StatusServiceUnavailable)
		}
	}))
	defer collector.Close()
	sink, err := httpsink.New[string](collector.URL)
	if err != nil {
		panic(err)
	}
	defer sink.Close()
	b, err := batcher.New(sink.Write,
		batcher.WithLogger(slog.New(slog.DiscardHandler)),
		batcher.WithRetry(3, func(int) time.Duration { return 0 }),
		batcher.WithHooks(batcher.Hooks{
			Retry: func(_ context.Context, info batcher.Info, wait time.Duration, err error) {
				var refused *httpsink.StatusError
				errors.As(err, &refused)
				fmt.Printf("attempt %d: status %d, %s; again in %v\n", info.Attempt, refused.Status, refused.Body, wait)
			},
		}),
	)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	_ = b.Add(ctx, "hello")
	fmt.Println(b.Close(ctx), requests)
	// Output:
	// attempt 1: status 503, come again; again in 1s
	// <nil> 2
}
