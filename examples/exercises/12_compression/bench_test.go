package compression

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/examples/exercises/internal/cputime"
)

// BenchmarkWrite sends batches to a server in this process that discards them. An op is a batch.
// cpu-ns/item is of the whole process, the server's reading included; wire-B/item is what the server's
// connections carry.
func BenchmarkWrite(b *testing.B) {
	for _, load := range []struct {
		data         string
		items, image int
	}{
		{"events", 1000, 0}, {"events", 10, 0}, {"images", 100, 10_000},
	} {
		batch := makeEvents(load.items, load.image)
		for _, v := range variants {
			b.Run(fmt.Sprintf("data=%s/items=%d/%s", load.data, load.items, v.name), func(b *testing.B) {
				server, wire := serve(b, func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
				})
				write := v.make(b, server.Client(), server.URL)
				require.NoError(b, write(b.Context(), batch)) // connects, and fills the pools
				b.ReportAllocs()
				sent, used := wire.bytes.Load(), cputime.Now()
				for b.Loop() {
					if err := write(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				used, sent = cputime.Now()-used, wire.bytes.Load()-sent
				items := float64(b.N * load.items)
				b.ReportMetric(float64(sent)/items, "wire-B/item")
				b.ReportMetric(float64(used.Nanoseconds())/items, "cpu-ns/item")
			})
		}
	}
}
