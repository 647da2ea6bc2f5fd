package natssink_test

// Several instances side by side: what docs/scale.md says about JetStream.

import (
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/natssink"
)

// BenchmarkFleet runs instances in one process, each with a connection and a batcher of its own,
// against one server, or three that keep a replica each, in the same process. They write to one
// stream, or to one each.
func BenchmarkFleet(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		for _, streams := range []string{"one", "each"} {
			for _, instances := range []int{1, 2, 4} {
				if streams == "each" && instances == 1 {
					continue // the same as one
				}
				b.Run(fmt.Sprintf("replicas=%d/streams=%s/instances=%d", replicas, streams, instances), func(b *testing.B) {
					fleet(b, replicas, streams == "each", instances)
				})
			}
		}
	}
}

func fleet(b *testing.B, replicas int, each bool, instances int) {
	var nodes []*node
	if replicas == 3 {
		nodes = newCluster(b)
	} else {
		nodes = []*node{newServer(b)}
	}
	batchers := make([]*batcher.Batcher[event], instances)
	for k := range batchers {
		_, js := connect(b, nodes...)
		subject := "events.a"
		if each {
			subject = fmt.Sprintf("events%d.a", k)
		}
		if k == 0 || each {
			makeStream(b, js, func(c *jetstream.StreamConfig) {
				c.Storage, c.Replicas, c.MaxMsgs = jetstream.FileStorage, replicas, 100_000
				if each {
					c.Name, c.Subjects = fmt.Sprintf("EVENTS%d", k), []string{subject}
				}
			})
		}
		sink, err := natssink.New(js, func(e event) (*nats.Msg, error) {
			return &nats.Msg{Subject: subject, Data: []byte(e.ID)}, nil
		})
		require.NoError(b, err)
		batchers[k], err = batcher.New(sink.Write, batcher.WithMaxSize(500), batcher.WithWorkers(2),
			batcher.WithRetry(100, quickly))
		require.NoError(b, err)
		require.NoError(b, batchers[k].AddWait(b.Context(), eventNo(0))) // connects
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for k, bt := range batchers {
		wg.Go(func() {
			for i := k; i < b.N; i += instances {
				if err := bt.Add(b.Context(), eventNo(i)); err != nil {
					b.Error(err)
				}
			}
			if err := bt.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}
