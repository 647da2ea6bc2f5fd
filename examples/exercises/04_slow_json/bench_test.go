package slow_json

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// drain is a transport that reads the body to its end and says that all is well, so that what is
// measured is the work of the sender, and no network.
type drain struct{ bytes int64 }

func (d *drain) RoundTrip(req *http.Request) (*http.Response, error) {
	n, err := io.Copy(io.Discard, req.Body)
	d.bytes += n
	_ = req.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, err
}

// BenchmarkWrite sends batches of 1000 events. An op is a batch.
func BenchmarkWrite(b *testing.B) {
	const items = 1000
	batch := makeEvents(items)
	for _, v := range variants {
		b.Run("items="+strconv.Itoa(items)+"/"+v.name, func(b *testing.B) {
			transport := new(drain)
			write := v.make(b, &http.Client{Transport: transport}, "http://localhost/")
			require.NoError(b, write(b.Context(), batch)) // fills the pools
			transport.bytes = 0
			b.ReportAllocs()
			for b.Loop() {
				if err := write(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			sent := float64(b.N) * items
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/sent, "ns/item")
			b.ReportMetric(float64(transport.bytes)/sent, "body-B/item")
		})
	}
}
