package copy_from

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/examples/exercises/internal/cputime"
)

// warmUp is how many batches are stored before the measured ones: a server that has just started is slower,
// and that must not count against whoever comes first.
const warmUp = 30

// BenchmarkWrite stores batches of 1000 rows in a table without an index, where a batch costs the same
// whatever is there already. An op is a batch. cpu-ns/row is of this process, without the server.
func BenchmarkWrite(b *testing.B) {
	const rows = 1000
	batch := makeEvents(rows)
	for _, v := range variants {
		b.Run("rows=1000/"+v.name, func(b *testing.B) {
			pool := newTable(b)
			ctx, write := b.Context(), v.make(b, pool)
			_, err := pool.Exec(ctx, "CHECKPOINT") // what the server still has to write of the new database
			require.NoError(b, err)
			for range warmUp {
				require.NoError(b, write(ctx, batch))
			}
			b.ReportAllocs()
			used := cputime.Now()
			for b.Loop() {
				if err := write(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
			used = cputime.Now() - used
			written := float64(b.N) * rows
			b.ReportMetric(written/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(used.Nanoseconds())/written, "cpu-ns/row")
			var stored int
			require.NoError(b, pool.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&stored))
			require.Equal(b, rows*(b.N+warmUp), stored)
		})
	}
}
