package kafkasink_test

// The suite that every sink passes, and the classification of errors.

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/kafkasink"
)

func TestConformance(t *testing.T) {
	batchertest.TestSink(t, batchertest.SinkTest[event]{
		Open:     open,
		Item:     eventNo,
		Key:      func(e event) string { return e.ID },
		BadItem:  func(int) event { return event{ID: "bad"} },
		Ordered:  true, // there is one partition
		Failures: classification(),
		// Not Idempotent: a second Write of a batch is a second batch to Kafka.
	})
}

// open starts a broker with a topic of one partition.
func open(t testing.TB) batchertest.Target[event] {
	c := startCluster(t, 1, 1)
	client := c.dial()
	sink, err := kafkasink.New(client, record)
	require.NoError(t, err)
	return batchertest.Target[event]{
		Write:  sink.Write,
		Stored: func(testing.TB) []string { return c.ids() },
		Hang: func(testing.TB) func() {
			_, resume := c.hang()
			return resume
		},
		Close: func() {
			client.Close()
			c.Close()
		},
	}
}

// answered writes three items, to one partition, to a broker that answers with err. The client gives
// up early.
func answered(err *kerr.Error) func(testing.TB) error {
	return func(t testing.TB) error {
		c := startCluster(t, 1, 1)
		defer c.Close()
		client := c.dial(kgo.RecordRetries(2), kgo.UnknownTopicRetries(1))
		defer client.Close()
		sink, newErr := kafkasink.New(client, record)
		require.NoError(t, newErr)
		c.fault(err)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return sink.Write(ctx, events(3))
	}
}

func classification() []batchertest.Failure {
	var table []batchertest.Failure
	for _, line := range []struct {
		err  *kerr.Error
		want batchertest.Verdict
	}{
		// Each record was found guilty by itself.
		{kerr.MessageTooLarge, batchertest.Partial},
		{kerr.RecordListTooLarge, batchertest.Partial},
		{kerr.InvalidRecord, batchertest.Partial},
		{kerr.InvalidTimestamp, batchertest.Partial},
		// The same records would always meet these.
		{kerr.InvalidTopicException, batchertest.Permanent},
		{kerr.UnsupportedForMessageFormat, batchertest.Permanent},
		{kerr.UnsupportedCompressionType, batchertest.Permanent},
		{kerr.InvalidRequiredAcks, batchertest.Permanent},
		// These depend on the moment.
		{kerr.TopicAuthorizationFailed, batchertest.Transient},
		{kerr.ClusterAuthorizationFailed, batchertest.Transient},
		{kerr.UnknownTopicOrPartition, batchertest.Transient},
		{kerr.NotLeaderForPartition, batchertest.Transient},
		{kerr.LeaderNotAvailable, batchertest.Transient},
		{kerr.NotEnoughReplicas, batchertest.Transient},
		{kerr.KafkaStorageError, batchertest.Transient},
		{kerr.PolicyViolation, batchertest.Transient},
		{kerr.UnknownServerError, batchertest.Transient},
		{kerr.ThrottlingQuotaExceeded, batchertest.Throttled},
	} {
		table = append(table, batchertest.Failure{
			Name: line.err.Message, Provoke: answered(line.err), Want: line.want,
		})
	}
	return append(table,
		batchertest.Failure{Name: "the client is closed", Provoke: writeToAClosedClient, Want: batchertest.Transient},
		batchertest.Failure{Name: "no broker listens", Provoke: writeToNobody, Want: batchertest.Transient},
		batchertest.Failure{Name: "the topic does not exist", Provoke: writeToAnUnknownTopic, Want: batchertest.Transient},
	)
}

func writeToAClosedClient(t testing.TB) error {
	c := startCluster(t, 1, 1)
	defer c.Close()
	client := c.dial()
	sink, err := kafkasink.New(client, record)
	require.NoError(t, err)
	client.Close()
	return sink.Write(context.Background(), events(3))
}

func writeToNobody(t testing.TB) error {
	c := startCluster(t, 1, 1)
	client := c.dial(kgo.RecordDeliveryTimeout(time.Second))
	defer client.Close()
	c.Close()
	sink, err := kafkasink.New(client, record)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return sink.Write(ctx, events(3))
}

func writeToAnUnknownTopic(t testing.TB) error {
	c := startCluster(t, 1, 1)
	defer c.Close()
	client := c.dial(kgo.DefaultProduceTopic("nowhere"), kgo.UnknownTopicRetries(1))
	defer client.Close()
	sink, err := kafkasink.New(client, record)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return sink.Write(ctx, events(3))
}
