package main

// What the steps of a request cost, plain and as they are: the parts of the table in docs/ingest.md.

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// nobody is a client that does not listen.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) WriteHeader(int)             {}

// BenchmarkStep does each step of a request in two ways.
//
//	PKG=./examples/ingest BENCH='BenchmarkStep|BenchmarkStore' BASE=plain tools/bench/run.sh
func BenchmarkStep(b *testing.B) {
	body := []byte(goodEvent)
	in, err := decodeEvent(body)
	require.NoError(b, err)
	event, err := newEvent(in, len(body))
	require.NoError(b, err)
	batches, err := batcher.New(func(context.Context, []Event) error { return nil },
		batcher.WithMaxWeight(maxBatchBytes, func(e Event) int { return e.Size }), batcher.WithWorkers(2))
	require.NoError(b, err)
	defer batches.Close(b.Context())
	w := nobody{make(http.Header)}
	reader := bytes.NewReader(nil)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "/event", io.NopCloser(reader))
	require.NoError(b, err)
	r.ContentLength = int64(len(body))
	x := new(exchange)

	for _, step := range []struct {
		name, impl string
		do         func()
	}{
		{"read", "plain", func() { _, _ = new(exchange).body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)) }},
		{"read", "fast", func() { x.body.Reset(); _ = x.readBody(w, r) }},
		{"decode", "plain", func() { _, _ = decodeAny(body) }},
		{"decode", "fast", func() { _, _ = decodeEvent(body) }},
		{"add", "plain", func() {
			ctx, cancel := context.WithTimeoutCause(r.Context(), time.Second, errNoRoom)
			defer cancel()
			_ = batches.Add(ctx, event)
		}},
		{"add", "fast", func() {
			if batches.TryAdd(event) != nil {
				_ = batches.Add(r.Context(), event)
			}
		}},
		{"answer", "plain", func() { answerPlainly(w, 202, event) }},
		{"answer", "fast", func() { x.answerID(w, 202, event.ID) }},
		{"stamp", "both", func() { _, _ = newEvent(in, len(body)) }},
	} {
		b.Run("step="+step.name+"/impl="+step.impl, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				step.do()
			}
		})
	}
}

// BenchmarkStore writes batches of 500 events.
func BenchmarkStore(b *testing.B) {
	server := pgtest.Start(b, pgtest.WithFsync())
	for _, v := range []struct {
		impl string
		mode mode
	}{{"plain", plain}, {"fast", batched}} {
		b.Run("impl="+v.impl, func(b *testing.B) {
			st, err := openPostgres(b.Context(), server.NewDatabase(b), v.mode, 1)
			require.NoError(b, err)
			defer st.Close()
			in, err := decodeEvent([]byte(goodEvent))
			require.NoError(b, err)
			events := make([]Event, 500)
			b.ReportAllocs()
			before, n := currentUsage(), 0
			for b.Loop() {
				for i := range events {
					events[i], err = newEvent(in, 0)
					require.NoError(b, err)
				}
				require.NoError(b, st.Write(b.Context(), events))
				n += len(events)
			}
			used := currentUsage().minus(before)
			b.ReportMetric(used.cpu/float64(n)*1e9, "cpu-ns/event")
			b.ReportMetric(used.objects/float64(n), "allocs/event")
		})
	}
}
