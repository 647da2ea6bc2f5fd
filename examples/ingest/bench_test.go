//go:build unix

package main

// The service in its variants under the same load: the figures of docs/ingest.md.

import (
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// BenchmarkIngest sends b.N events over 128 connections to a service in a process of its own, which
// stores them on a private PostgreSQL server with fsync. Every run is verified. cpu-us/req,
// B/req, allocs/req and rss-MB are those of the service alone.
//
//	PKG=./examples/ingest BENCH=BenchmarkIngest BENCHTIME=50000x BASE=naive tools/bench/run.sh
func BenchmarkIngest(b *testing.B) {
	server := pgtest.Start(b, pgtest.WithFsync())
	for _, v := range []struct {
		impl string
		args []string
	}{
		{"naive", []string{"-naive"}},
		{"plain", []string{"-plain"}},
		{"batched", nil},
		// Everything is waited for, as it is by the naive one.
		{"batchedwait", []string{"-wait-share", "1", "-delay", "1ms"}},
	} {
		b.Run("impl="+v.impl, func(b *testing.B) {
			cfg := defaults()
			args := []string{"-load", strconv.Itoa(b.N), "-wait-share", "0", "-postgres", server.NewDatabase(b)}
			require.NoError(b, cfg.parse(append(args, v.args...), io.Discard))
			benchmarkService(b, cfg)
		})
	}
}

// benchmarkService runs one load and reports what it took.
func benchmarkService(b *testing.B, cfg config) {
	b.Setenv(asProgram, "1")
	cfg.rescueFile = b.TempDir() + "/rescued"
	a := &app{cfg: cfg, stdout: io.Discard, stderr: io.Discard}
	c, err := startChild(cfg, io.Discard, io.Discard)
	require.NoError(b, err)
	d := newDriver(c.url, cfg.conns, cfg.maxTries)
	src := source{requests: generate("bench", cfg.load, cfg.waitShare)}
	b.ResetTimer()
	took, spent, err := c.load(b.Context(), d, src)
	b.StopTimer()
	require.NoError(b, a.conclude(b.Context(), d, src, nil, err))
	n := float64(b.N)
	answers := d.answered[0].summary()
	if cfg.mode == naive || cfg.waitShare == 1 {
		answers = d.answered[1].summary()
	}
	b.ReportMetric(n/took.Seconds(), "req/s")
	b.ReportMetric(answers.p50*1e3, "p50-ms")
	b.ReportMetric(answers.p99*1e3, "p99-ms")
	b.ReportMetric(spent.flush.p99*1e3, "flush-p99-ms")
	b.ReportMetric(spent.used.cpu/n*1e6, "cpu-us/req")
	b.ReportMetric(spent.used.objects/n, "allocs/req")
	b.ReportMetric(spent.used.bytes/n, "B/req")
	b.ReportMetric(spent.used.memory/(1<<20), "rss-MB")
	b.ReportMetric(float64(d.retried.Load())/n, "503s/req")
}
