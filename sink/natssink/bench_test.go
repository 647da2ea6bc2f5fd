package natssink_test

// The sink against the client by itself, on a server in this process, over TCP, in memory.

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/natssink"
)

func BenchmarkWrite(b *testing.B) {
	_, js := connect(b, newServer(b))
	makeStream(b, js, func(c *jetstream.StreamConfig) { c.MaxMsgs = 10_000 }) // old ones make room
	data := make([]byte, 150)
	sink, err := natssink.New(js, func(int) (*nats.Msg, error) {
		return &nats.Msg{Subject: "events.a", Data: data}, nil
	})
	require.NoError(b, err)
	serial := 0 // ids differ over all runs: duplicates would not be stored
	withIDs, err := natssink.New(js, func(int) (*nats.Msg, error) {
		return &nats.Msg{Subject: "events.a", Data: data}, nil
	}, natssink.WithMessageID(func(int) string { serial++; return fmt.Sprint(serial) }))
	require.NoError(b, err)
	for _, size := range []int{100, 1000} {
		batch := make([]int, size)
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
		run("PublishAsync", func() error { return publishAsync(js, data, size) })
		run("natssink", func() error { return sink.Write(b.Context(), batch) })
		run("natssink-with-ids", func() error { return withIDs.Write(b.Context(), batch) })
	}
	b.Run("size=1/impl=Publish", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := js.Publish(b.Context(), "events.a", data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// publishAsync is the loop that one writes by hand.
func publishAsync(js jetstream.JetStream, data []byte, n int) error {
	futures := make([]jetstream.PubAckFuture, n)
	for i := range futures {
		f, err := js.PublishMsgAsync(&nats.Msg{Subject: "events.a", Data: data})
		if err != nil {
			return err
		}
		futures[i] = f
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return err
		}
	}
	return nil
}
