package kafkasink_test

// The sink against the client by itself, on brokers in this process that store nothing.

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-4c1eaf8a/batcher/sink/kafkasink"
)

// payload is what all implementations send: 8 bytes of key, 150 of value.
func payload(i int, value []byte, r *kgo.Record) {
	r.Key = strconv.AppendInt(make([]byte, 0, 8), int64(i), 10)
	r.Value = value
}

func BenchmarkWrite(b *testing.B) {
	c := newCluster(b, 1, 4, kfake.BlackholeProduce())
	client := c.client()
	value := make([]byte, 150)
	fill := func(i int, r *kgo.Record) error {
		payload(i, value, r)
		return nil
	}
	sink, err := kafkasink.New(client, fill)
	require.NoError(b, err)
	bare, err := kafkasink.New(client, fill, kafkasink.WithoutCopy())
	require.NoError(b, err)
	for _, size := range []int{100, 1000} {
		batch := make([]int, size)
		for i := range batch {
			batch[i] = i
		}
		run := func(impl string, write func() error) {
			b.Run(fmt.Sprintf("size=%d/impl=%s", size, impl), func(b *testing.B) {
				b.ReportAllocs()
				for done := 0; done < b.N; done += size { // ns/op and allocs/op are per item
					if err := write(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("ProduceSync", func() error {
			rs := make([]*kgo.Record, size)
			for i := range rs {
				rs[i] = new(kgo.Record)
				payload(i, value, rs[i])
			}
			return client.ProduceSync(b.Context(), rs...).FirstErr()
		})
		run("kafkasink", func() error { return sink.Write(b.Context(), batch) })
		run("kafkasink-without-copy", func() error { return bare.Write(b.Context(), batch) })
	}
	b.Run("size=1/impl=one-by-one", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			r := new(kgo.Record)
			payload(i, value, r)
			if err := client.ProduceSync(b.Context(), r).FirstErr(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
