package kafkasink_test

// What the tests share: items, a cluster in this process, and looks into it.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/kafkasink"
)

const (
	topic    = "events"
	warmUpID = "warm-up"
)

// patience bounds what should take milliseconds, on a machine that is busy with other things.
const patience = 60 * time.Second

var errBad = errors.New("cannot be described")

// event is known by its ID and goes to the partition of its Key. One with the ID "bad" is refused by
// record.
type event struct {
	ID, Key string
	Extra   []byte
}

// record has the ID first in the value, so that a test finds it in the bytes of a request.
func record(e event, r *kgo.Record) error {
	if e.ID == "bad" {
		return errBad
	}
	r.Key = []byte(e.Key)
	r.Value = append([]byte(e.ID+"|"), e.Extra...)
	return nil
}

func eventNo(i int) event { return event{ID: fmt.Sprintf("e%06d", i), Key: fmt.Sprintf("k%d", i%17)} }

func events(n int) []event {
	all := make([]event, n)
	for i := range all {
		all[i] = eventNo(i)
	}
	return all
}

func idOf(r *kgo.Record) string {
	id, _, _ := strings.Cut(string(r.Value), "|")
	return id
}

// cluster is a Kafka in this process.
type cluster struct {
	*kfake.Cluster
	*holder
	t testing.TB
}

// startCluster starts brokers with one topic, which the caller closes.
func startCluster(t testing.TB, brokers, partitions int, opts ...kfake.Opt) *cluster {
	t.Helper()
	h := new(holder)
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(brokers), kfake.SeedTopics(int32(partitions), topic), kfake.ListenFn(h.listen),
	}, opts...)...)
	require.NoError(t, err)
	return &cluster{c, h, t}
}

// newCluster is startCluster for the duration of the test.
func newCluster(t testing.TB, brokers, partitions int, opts ...kfake.Opt) *cluster {
	t.Helper()
	c := startCluster(t, brokers, partitions, opts...)
	t.Cleanup(c.Close)
	return c
}

// dial returns a client that tries again soon, and whose requests can be read, uncompressed.
func (c *cluster) dial(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.ListenAddrs()...),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
		kgo.MetadataMinAge(10 * time.Millisecond),
	}, opts...)...)
	require.NoError(c.t, err)
	return client
}

// client is dial for the duration of the test.
func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client := c.dial(opts...)
	c.t.Cleanup(client.Close)
	return client
}

// newSink returns a sink with a client of its own.
func (c *cluster) newSink(opts ...kgo.Opt) *kafkasink.Sink[event] {
	c.t.Helper()
	sink, err := kafkasink.New(c.client(opts...), record)
	require.NoError(c.t, err)
	return sink
}

// strictSink returns a sink whose client has all records of a batch before it sends the first one,
// which is what makes the order strict when records fail: see "Order" in the package documentation.
func (c *cluster) strictSink(opts ...kgo.Opt) *kafkasink.Sink[event] {
	c.t.Helper()
	return c.lingeringSink(5*time.Second, opts...)
}

// lingeringSink returns a sink whose client lingers, and knows the topic's partitions already: what
// it sends before that does linger.
func (c *cluster) lingeringSink(linger time.Duration, opts ...kgo.Opt) *kafkasink.Sink[event] {
	c.t.Helper()
	client := c.client(append(opts, kgo.ProducerLinger(linger))...)
	sink, err := kafkasink.New(client, record)
	require.NoError(c.t, err)
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	written := make(chan error, 1)
	go func() { written <- sink.Write(ctx, []event{{ID: warmUpID}}) }()
	for len(written) == 0 {
		require.NoError(c.t, client.Flush(ctx))
	}
	require.NoError(c.t, <-written)
	return sink
}

// stored reads all the records of a topic, in order within each partition, without that of lingeringSink.
func (c *cluster) stored(topic string) []*kgo.Record {
	c.t.Helper()
	offsets, want := make(map[int32]kgo.Offset), 0
	for _, p := range c.PartitionInfos(topic) {
		if p.HighWatermark > 0 {
			offsets[p.Partition] = kgo.NewOffset().At(0)
			want += int(p.HighWatermark)
		}
	}
	if want == 0 {
		return nil
	}
	consumer := c.dial(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var all []*kgo.Record
	for len(all) < want {
		fetches := consumer.PollFetches(ctx)
		require.NoError(c.t, fetches.Err0())
		all = append(all, fetches.Records()...)
	}
	all = slices.DeleteFunc(all, func(r *kgo.Record) bool { return idOf(r) == warmUpID })
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return all
}

// ids returns the IDs of all records of the topic.
func (c *cluster) ids() []string {
	c.t.Helper()
	ids := []string{}
	for _, r := range c.stored(topic) {
		ids = append(ids, idOf(r))
	}
	return ids
}

// fault fails produce requests for the given partitions (all if none are given) until it is removed.
func (c *cluster) fault(err *kerr.Error, partitions ...int32) *kfake.FaultHandle {
	return c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: partitions, Err: err, Count: -1,
	})
}

// poison makes the brokers refuse whatever comes together with one of the IDs for their partition.
func (c *cluster) poison(err *kerr.Error, partitions int, ids ...string) {
	for p := range int32(partitions) {
		c.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{p}, Err: err, Count: -1,
			When: func(req kmsg.Request) bool { return sends(req, p, ids) },
		})
	}
}

// sends reports whether a produce request brings one of the IDs to partition p.
func sends(req kmsg.Request, p int32, ids []string) bool {
	for _, t := range req.(*kmsg.ProduceRequest).Topics {
		for _, part := range t.Partitions {
			for _, id := range ids {
				if part.Partition == p && bytes.Contains(part.Records, []byte(id+"|")) {
					return true
				}
			}
		}
	}
	return false
}

// partial returns the errors of a PartialError.
func partial(t testing.TB, err error) map[int]error {
	t.Helper()
	var p *batcher.PartialError
	require.ErrorAs(t, err, &p)
	return p.Errs
}

// requireEachOnce checks that n events are there, none of them twice, in whatever order.
func requireEachOnce(t testing.TB, c *cluster, n int) {
	t.Helper()
	ids := c.ids()
	require.Len(t, ids, n)
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), n, "different ones")
}

// requireOrderPerKey checks that the IDs of each key are stored in ascending order, each once.
func requireOrderPerKey(t testing.TB, stored []*kgo.Record) {
	t.Helper()
	last, home := make(map[string]string), make(map[string]int32)
	for _, r := range stored {
		key, id := string(r.Key), idOf(r)
		require.Greater(t, id, last[key], "order within key %s", key)
		last[key] = id
		if p, seen := home[key]; seen {
			require.Equal(t, p, r.Partition, "partition of key %s", key)
		}
		home[key] = r.Partition
	}
}
