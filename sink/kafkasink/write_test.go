package kafkasink_test

// What arrives, and what is refused.

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/kafkasink"
)

func TestARecordArrivesAsItWasDescribed(t *testing.T) {
	c := newCluster(t, 1, 3, kfake.SeedTopics(3, "other"))
	when := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	sink, err := kafkasink.New(c.client(kgo.RecordPartitioner(kgo.ManualPartitioner())),
		func(i int, r *kgo.Record) error {
			r.Topic, r.Partition, r.Timestamp = "other", int32(i), when.Add(time.Duration(i)*time.Second)
			switch i {
			case 0:
				r.Key, r.Value = []byte("key"), nil // a tombstone
			case 1:
				r.Key, r.Value = nil, []byte{}
			case 2:
				r.Value = []byte("value")
				r.Headers = []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}}
			}
			return nil
		})
	require.NoError(t, err)
	require.NoError(t, sink.Write(t.Context(), []int{0, 1, 2}))

	assert.Empty(t, c.stored(topic))
	all := c.stored("other")
	require.Len(t, all, 3)
	for i, r := range all {
		assert.EqualValues(t, i, r.Partition)
		assert.Equal(t, when.Add(time.Duration(i)*time.Second), r.Timestamp.UTC())
	}
	assert.Equal(t, "key", string(all[0].Key))
	assert.Nil(t, all[0].Value)
	assert.Nil(t, all[1].Key)
	assert.NotNil(t, all[1].Value)
	assert.Equal(t, []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}}, all[2].Headers)
}

func TestEqualKeysGoToOnePartitionInOrder(t *testing.T) {
	c := newCluster(t, 3, 6)
	sink := c.newSink()
	for from := 0; from < 1000; from += 250 {
		require.NoError(t, sink.Write(t.Context(), events(1000)[from:from+250]))
	}
	stored := c.stored(topic)
	require.Len(t, stored, 1000)
	requireOrderPerKey(t, stored)
}

func TestOneItemThatCannotBeDescribedFailsAlone(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink, err := kafkasink.New(c.client(kgo.DefaultProduceTopic("")), func(e event, r *kgo.Record) error {
		if e.ID != "homeless" {
			r.Topic = topic
		}
		return record(e, r)
	})
	require.NoError(t, err)
	batch := []event{eventNo(0), {ID: "bad"}, eventNo(1), {ID: "homeless"}}
	errs := partial(t, sink.Write(t.Context(), batch))
	require.Len(t, errs, 2)
	assert.ErrorIs(t, errs[1], errBad)
	assert.ErrorContains(t, errs[3], "no topic")
	assert.True(t, batcher.IsPermanent(errs[1]))
	assert.True(t, batcher.IsPermanent(errs[3]))
	assert.Equal(t, []string{"e000000", "e000001"}, c.ids())
}

func TestTheRecordFunctionMayUseItsBufferAgain(t *testing.T) {
	c := newCluster(t, 1, 1)
	buffer := make([]byte, 0, 100)
	sink, err := kafkasink.New(c.client(), func(e event, r *kgo.Record) error {
		buffer = append(buffer[:0], e.ID+"|"...)
		r.Value = buffer
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, sink.Write(t.Context(), events(50)))
	for i, id := range c.ids() {
		assert.Equal(t, eventNo(i).ID, id)
	}
}

func TestWithoutCopyTheBytesAreTheUsersOwn(t *testing.T) {
	c := newCluster(t, 1, 1)
	var mine, seen []byte
	client := c.client(kgo.WithHooks(bufferedHook(func(r *kgo.Record) { seen = r.Value })))
	for _, opts := range [][]kafkasink.Option{nil, {kafkasink.WithoutCopy()}} {
		sink, err := kafkasink.New(client, func(_ int, r *kgo.Record) error {
			mine = []byte("value")
			r.Value = mine
			return nil
		}, opts...)
		require.NoError(t, err)
		require.NoError(t, sink.Write(t.Context(), []int{1}))
		assert.Equal(t, len(opts) > 0, &seen[0] == &mine[0])
	}
}

type bufferedHook func(r *kgo.Record)

func (h bufferedHook) OnProduceRecordBuffered(r *kgo.Record) { h(r) }

// The client may forget to cut a linger short just after a failure of its own, which a busy machine
// can cause. It does not do so every time, as it would if the sink waited for the linger.
func TestLingerIsNotAddedToABatch(t *testing.T) {
	var err error
	for range 3 {
		c := newCluster(t, 2, 4)
		sink := c.lingeringSink(time.Minute) // the longest there is
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		err = sink.Write(ctx, events(100))
		cancel()
		if err == nil {
			return
		}
	}
	require.NoError(t, err)
}

func TestABatchAboveMaxBufferedRecordsDoesNotDeadlock(t *testing.T) {
	c := newCluster(t, 2, 4)
	for name, opt := range map[string]kgo.Opt{
		"records": kgo.MaxBufferedRecords(10),
		"bytes":   kgo.MaxBufferedBytes(100),
	} {
		t.Run(name, func(t *testing.T) {
			before := len(c.ids())
			sink := c.newSink(opt, kgo.MaxBufferedRecords(10))
			b, err := batcher.New(sink.Write, batcher.WithMaxSize(500), batcher.WithWorkers(4))
			require.NoError(t, err)
			for i := range 3000 {
				require.NoError(t, b.Add(t.Context(), eventNo(i)))
			}
			require.NoError(t, b.Close(t.Context()))
			assert.Len(t, c.ids(), before+3000)
			assert.EqualValues(t, 3000, b.Stats().Flushed)
		})
	}
}

func TestNewNamesAllThatIsWrong(t *testing.T) {
	c := newCluster(t, 1, 1)
	transactional := c.client(kgo.TransactionalID("tx"), kgo.ManualFlushing())
	careless := c.client(kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	var noRecord func(event, *kgo.Record) error
	for name, line := range map[string]struct {
		client *kgo.Client
		opts   []kafkasink.Option
		want   []string
	}{
		"nil":           {nil, []kafkasink.Option{nil}, []string{"option 1 of 1 is nil", "record function is nil", "client is nil"}},
		"transactional": {transactional, nil, []string{`TransactionalID("tx")`, "ManualFlushing"}},
		"no acks":       {careless, nil, []string{"NoAck"}},
	} {
		t.Run(name, func(t *testing.T) {
			sink, err := kafkasink.New(line.client, noRecord, line.opts...)
			require.ErrorIs(t, err, batcher.ErrConfig)
			assert.Nil(t, sink)
			assert.True(t, strings.HasPrefix(err.Error(), "kafkasink: "))
			for _, want := range line.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	_, err := kafkasink.New(c.client(), record, kafkasink.WithoutCopy())
	assert.NoError(t, err)
}

func TestAPanicOfTheRecordFunctionLeavesTheSinkIntact(t *testing.T) {
	c := newCluster(t, 1, 1)
	boom := true
	sink, err := kafkasink.New(c.client(), func(e event, r *kgo.Record) error {
		if boom {
			panic("boom")
		}
		return record(e, r)
	})
	require.NoError(t, err)
	assert.PanicsWithValue(t, "boom", func() { _ = sink.Write(t.Context(), events(2)) })
	boom = false
	require.NoError(t, sink.Write(t.Context(), events(2)))
	assert.Equal(t, []string{"e000000", "e000001"}, c.ids())
}

func TestNothingIsSentIfTheContextHasEnded(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink := c.newSink()
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := sink.Write(ctx, events(2))
	assert.ErrorIs(t, err, cause)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, batcher.IsPermanent(err))
	assert.NoError(t, sink.Write(ctx, nil), "nothing to do")
	assert.Empty(t, c.ids())
}
