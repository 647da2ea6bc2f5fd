package end_to_end

import (
	"context"
	"flag"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// requests is the load of one run of the benchmark: enough for 20 batches, and not for minutes of slow.
var requests = flag.Int("requests", 10_000, "requests of each load")

// BenchmarkService sends a load to each variant of the service, which stores it on a private PostgreSQL
// server with fsync. The program is run b.N times; an op in the figures is a request: ns/op is the
// inverse of req/s, cpu-ns/op, allocs/op and B/op are of the service alone. Percentiles and memory are the
// means of those of the runs. For figures that mean something, take more requests:
//
//	go test -bench . ./examples/exercises/20_end_to_end -requests 50000
func BenchmarkService(b *testing.B) {
	server, service := pgtest.Shared(b), theService(b)
	run := func(b *testing.B, v Variant, requests int) Figures {
		dsn := server.NewDatabase(b)
		settle(b, dsn)
		f, err := service.Load(b.Context(), v, dsn, b.TempDir(), requests)
		if err != nil {
			b.Fatal(err)
		}
		if f.FlushP99 == 0 {
			b.Fatalf("%d requests are too few: none was stored before the last was answered", requests)
		}
		return f
	}
	run(b, Plain, 5000) // a server that has just started is slower; that is not for the first to pay
	for _, v := range variants {
		b.Run(fmt.Sprintf("conns=%d/%s", Connections, v.Name), func(b *testing.B) {
			b.ReportAllocs() // of the service: see report
			var sum Figures
			for range b.N {
				sum = sum.plus(run(b, v, *requests))
			}
			report(b, sum)
		})
	}
}

// settle makes the server write what it still has to write of the new database.
func settle(b *testing.B, dsn string) {
	conn, err := pgx.Connect(b.Context(), dsn)
	require.NoError(b, err)
	_, err = conn.Exec(b.Context(), "CHECKPOINT")
	require.NoError(b, err)
	require.NoError(b, conn.Close(context.Background()))
}

func (f Figures) plus(o Figures) Figures {
	return Figures{
		PerSecond: f.PerSecond + o.PerSecond,
		P50:       f.P50 + o.P50,
		P99:       f.P99 + o.P99,
		FlushP99:  f.FlushP99 + o.FlushP99,
		CPU:       f.CPU + o.CPU,
		Allocs:    f.Allocs + o.Allocs,
		Bytes:     f.Bytes + o.Bytes,
		Memory:    f.Memory + o.Memory,
		Refused:   f.Refused + o.Refused,
	}
}

// report reports the means of b.N runs.
func report(b *testing.B, sum Figures) {
	n := float64(b.N)
	for _, m := range []struct {
		unit  string
		value float64
	}{
		{"req/s", sum.PerSecond},
		{"p50-ns", float64(sum.P50)},
		{"p99-ns", float64(sum.P99)},
		{"flush-p99-ns", float64(sum.FlushP99)},
		{"cpu-ns/op", float64(sum.CPU)},
		{"rss-B", sum.Memory},
		{"allocs/op", sum.Allocs}, // in place of this process's own
		{"B/op", sum.Bytes},
	} {
		b.ReportMetric(m.value/n, m.unit)
	}
	if sum.Refused > 0 {
		b.ReportMetric(sum.Refused/n, "503s/op")
	}
	b.ReportMetric(1e9*n/sum.PerSecond, "ns/op")
}
