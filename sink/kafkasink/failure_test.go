package kafkasink_test

// What goes wrong, and what becomes of the records.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batchertest"
	"github.com/seed-4c1eaf8a/batcher/sink/kafkasink"
)

var quickly = batcher.ExponentialBackoff(time.Millisecond, 20*time.Millisecond)

func TestF47_PoisonRecordsAreFoundAndTheOthersWritten(t *testing.T) {
	for _, kafkaErr := range []*kerr.Error{kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.MessageTooLarge} {
		t.Run(kafkaErr.Message, func(t *testing.T) {
			const partitions = 3
			c := newCluster(t, 2, partitions)
			sink := c.newSink()
			poison := []int{0, 123, 124, 299}
			var ids []string
			for _, i := range poison {
				ids = append(ids, eventNo(i).ID)
			}
			c.poison(kafkaErr, partitions, ids...)
			errs := partial(t, sink.Write(t.Context(), events(300)))
			require.Len(t, errs, len(poison))
			for _, i := range poison {
				require.ErrorIs(t, errs[i], kafkaErr)
				assert.True(t, batcher.IsPermanent(errs[i]), "item %d", i)
			}
			requireEachOnce(t, c, 300-len(poison))
		})
	}
}

func TestABatchThatIsTooLargeForTheBrokerIsSplit(t *testing.T) {
	c := newCluster(t, 1, 1, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "3000"}))
	sink := c.newSink()
	batch := events(100)
	for i := range batch {
		batch[i].Extra = bytes.Repeat([]byte("x"), 200)
	}
	batch[70].Extra = bytes.Repeat([]byte("x"), 4000)
	errs := partial(t, sink.Write(t.Context(), batch))
	require.Len(t, errs, 1)
	assert.ErrorIs(t, errs[70], kerr.MessageTooLarge)
	assert.True(t, batcher.IsPermanent(errs[70]))
	requireEachOnce(t, c, 99)
}

func TestARecordThatTheClientFindsTooLargeFailsAlone(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink := c.newSink(kgo.ProducerBatchMaxBytes(1000))
	batch := events(20)
	batch[7].Extra = bytes.Repeat([]byte("x"), 2000)
	errs := partial(t, sink.Write(t.Context(), batch))
	require.Len(t, errs, 1)
	assert.True(t, batcher.IsPermanent(errs[7]))
	assert.Len(t, c.ids(), 19)
}

func TestPoisonOfOneWriteDoesNotCondemnTheItemsOfOthers(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink := c.newSink()
	const writes, size = 40, 10
	c.poison(kerr.InvalidRecord, 1, eventNo(0).ID, eventNo(155).ID, eventNo(399).ID)
	lost := make([]map[int]error, writes)
	var wg sync.WaitGroup
	for w := range writes {
		wg.Go(func() {
			err := sink.Write(t.Context(), events(writes * size)[w*size:(w+1)*size])
			if p, ok := errors.AsType[*batcher.PartialError](err); ok {
				lost[w] = p.Errs
			} else {
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	for w, errs := range lost {
		for i, err := range errs {
			assert.Contains(t, []int{0, 155, 399}, w*size+i, "%v", err)
		}
	}
	assert.Len(t, c.ids(), writes*size-3)
}

func TestAFailingPartitionFailsItsItemsAlone(t *testing.T) {
	c := newCluster(t, 1, 2)
	sink := c.newSink()
	fault := c.fault(kerr.TopicAuthorizationFailed, 0)
	errs := partial(t, sink.Write(t.Context(), events(100)))
	for _, err := range errs {
		require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
		require.False(t, batcher.IsPermanent(err), "access may be granted later")
	}
	stored := c.ids()
	assert.Len(t, stored, 100-len(errs))
	for i := range errs {
		assert.NotContains(t, stored, eventNo(i).ID)
	}
	fault.Remove()
	assert.NoError(t, sink.Write(t.Context(), events(100)))
}

func TestIfTheOthersFailTooTheRefusedItemsAreNotMentioned(t *testing.T) {
	c := newCluster(t, 1, 2)
	sink := c.newSink()
	c.fault(kerr.ClusterAuthorizationFailed)
	err := sink.Write(t.Context(), append(events(10), event{ID: "bad"}))
	require.ErrorIs(t, err, kerr.ClusterAuthorizationFailed)
	_, isPartial := errors.AsType[*batcher.PartialError](err)
	assert.False(t, isPartial)
	assert.False(t, batcher.IsPermanent(err))
}

func TestDamageOnTheWayIsNoFaultOfTheItem(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink := c.newSink()
	fault := c.fault(kerr.CorruptMessage)
	for _, err := range partial(t, sink.Write(t.Context(), events(1))) {
		require.ErrorIs(t, err, kerr.CorruptMessage)
		assert.False(t, batcher.IsPermanent(err))
	}
	fault.Remove()
	assert.NoError(t, sink.Write(t.Context(), events(1)))
}

func TestWriteReturnsWhenItsContextEndsAndTheRecordsMayStillArrive(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink := c.newSink()
	began, resume := c.hang()
	defer resume()
	cause := errors.New("no more time")
	ctx, cancel := context.WithCancelCause(t.Context())
	batch := events(3)
	for i := range batch {
		batch[i].Extra = []byte("mine")
	}
	written := make(chan error, 1)
	go func() { written <- sink.Write(ctx, batch) }()
	<-began
	cancel(cause)
	err := <-written
	assert.ErrorIs(t, err, cause)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, batcher.IsPermanent(err))
	assert.Empty(t, c.ids(), "they are on their way")

	for i := range batch { // Write has returned: this memory is the caller's again
		copy(batch[i].Extra, "gone")
	}
	resume()
	require.NoError(t, sink.Write(t.Context(), events(10)[5:]))
	stored := c.stored(topic)
	require.Len(t, stored, 8)
	for _, r := range stored[:3] {
		assert.Contains(t, string(r.Value), "|mine")
	}
}

func TestF48_ARetryAfterATimeoutWritesTwice(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink := c.newSink()
	began, resume := c.hang()
	defer resume()
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(5), batcher.WithRetry(3, quickly),
		batcher.WithFlushTimeout(patience), batcher.WithHooks(batcher.Hooks{
			FlushStart: func(ctx context.Context, info batcher.Info) context.Context {
				if info.Attempt > 1 {
					resume()
					return ctx
				}
				ctx, cancel := context.WithCancel(ctx)
				go func() { <-began; cancel() }()
				return ctx
			},
		}))
	require.NoError(t, err)
	_, err = b.AddAll(t.Context(), events(5))
	require.NoError(t, err)
	require.NoError(t, b.Close(t.Context()))
	ids := c.ids()
	assert.Len(t, ids, 10, "the client could not call its records back")
	slices.Sort(ids)
	assert.Len(t, slices.Compact(ids), 5)
}

func TestTheClientsOwnRetriesWriteOnce(t *testing.T) {
	c := newCluster(t, 1, 1)
	sink := c.newSink()
	require.NoError(t, sink.Write(t.Context(), events(1)))
	c.Fault(kfake.Fault{ // written, but the answer is an error
		Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.RequestTimedOut, Count: 3,
	})
	require.NoError(t, sink.Write(t.Context(), events(20)[1:]))
	ids := c.ids()
	assert.Len(t, ids, 20)
	assert.True(t, slices.IsSorted(ids))
}

func TestTheSinkWorksAgainAfterWritesThatWereGivenUp(t *testing.T) {
	c := newCluster(t, 2, 4)
	sink := c.newSink()
	c.poison(kerr.InvalidRecord, 4, eventNo(3).ID)
	for range 3 {
		began, resume := c.hang()
		defer resume()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-began; cancel() }()
		require.ErrorIs(t, sink.Write(ctx, events(50)), context.Canceled)
		resume()
	}
	// For a while the client may fail records together with those that it gives up.
	for found := false; !found; {
		err := sink.Write(t.Context(), events(50))
		require.Error(t, err)
		require.False(t, batcher.IsPermanent(err))
		if p, ok := errors.AsType[*batcher.PartialError](err); ok {
			for i, err := range p.Errs {
				require.True(t, i == 3 || !batcher.IsPermanent(err), "item %d: %v", i, err)
			}
			found = len(p.Errs) == 1 && batcher.IsPermanent(p.Errs[3])
		}
	}
}

// throughABatcher adds n events while disturb is at work, and checks that nothing is lost or doubled.
// It returns how many Writes failed.
func throughABatcher(t *testing.T, c *cluster, sink *kafkasink.Sink[event], n int, disturb func(i int)) int {
	const times = 10
	letters := batchertest.NewLetters[event]()
	failed := 0
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(100), batcher.WithRetry(100, quickly),
		batcher.WithDeadLetter(letters.Handle), batcher.WithHooks(batcher.Hooks{
			Retry: func(context.Context, batcher.Info, time.Duration, error) { failed++ }, // one worker
		}))
	require.NoError(t, err)
	for i := range n {
		if i%(n/times) == n/times/2 {
			disturb(i / (n / times))
		}
		require.NoError(t, b.Add(t.Context(), eventNo(i)))
	}
	require.NoError(t, b.Close(t.Context()))
	stats := b.Stats()
	assert.EqualValues(t, n, stats.Flushed)
	assert.Zero(t, stats.Failed)
	assert.Empty(t, letters.All())
	requireEachOnce(t, c, n)
	return failed
}

func TestF50_AcceptedItemsSurviveBrokersThatStopMoveAndCloseConnections(t *testing.T) {
	c := newCluster(t, 3, 6)
	failed := throughABatcher(t, c, c.newSink(), 5000, func(i int) {
		switch i % 3 {
		case 0:
			c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				return nil, errors.New("connection closed"), true
			})
		case 1:
			c.ShufflePartitionLeaders()
		case 2:
			if i == 2 || i == 5 {
				require.NoError(t, c.RemoveNode(int32(i/3)))
			}
		}
	})
	if failed == 0 { // the client's own retries were enough, and they keep the order
		requireOrderPerKey(t, c.stored(topic))
	}
}

func TestF50_TransientErrorsOfPartitionsAreTriedAgain(t *testing.T) {
	for _, kafkaErr := range []*kerr.Error{
		kerr.TopicAuthorizationFailed, kerr.UnknownServerError, kerr.NotEnoughReplicas,
		kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.KafkaStorageError,
	} {
		t.Run(kafkaErr.Message, func(t *testing.T) {
			c := newCluster(t, 1, 4)
			sink := c.newSink(kgo.RecordRetries(1)) // so that most of the trouble reaches the batcher
			throughABatcher(t, c, sink, 5000, func(i int) {
				c.Fault(kfake.Fault{
					Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{int32(i % 4)},
					Err: kafkaErr, Count: 5,
				})
			})
		})
	}
}

func TestRetriesKeepTheOrderPerKeyIfTheClientLingers(t *testing.T) {
	c := newCluster(t, 1, 4)
	failed := throughABatcher(t, c, c.strictSink(), 1000, func(i int) {
		if i%4 == 1 {
			c.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{int32(i / 4)},
				Err: kerr.TopicAuthorizationFailed, Count: 1,
			})
		}
	})
	assert.Equal(t, 3, failed)
	requireOrderPerKey(t, c.stored(topic))
}

func TestPoisonThroughABatcherIsWhatIsGivenUp(t *testing.T) {
	const n, partitions = 2000, 4
	c := newCluster(t, 2, partitions)
	sink := c.newSink()
	want := []string{eventNo(5).ID, eventNo(700).ID, eventNo(1999).ID, "bad"}
	c.poison(kerr.InvalidRecord, partitions, want[:3]...)
	letters := batchertest.NewLetters[event]()
	b, err := batcher.New(sink.Write, batcher.WithMaxSize(200), batcher.WithWorkers(4),
		batcher.WithRetry(5, quickly), batcher.WithDeadLetter(letters.Handle))
	require.NoError(t, err)
	for i := range n {
		require.NoError(t, b.Add(t.Context(), eventNo(i)))
	}
	require.NoError(t, b.Add(t.Context(), event{ID: "bad"}))
	require.NoError(t, b.Close(t.Context()))
	var lost []string
	for _, letter := range letters.All() {
		assert.Equal(t, 1, letter.Attempts)
		for _, e := range letter.Items {
			lost = append(lost, e.ID)
		}
	}
	assert.ElementsMatch(t, want, lost)
	ids := c.ids()
	assert.Len(t, ids, n-3)
	slices.Sort(ids)
	assert.Len(t, slices.Compact(ids), n-3, "nothing twice")
}

func TestTheErrorOfABatchIsShort(t *testing.T) {
	c := newCluster(t, 1, 4)
	sink := c.newSink()
	c.fault(kerr.ClusterAuthorizationFailed)
	err := sink.Write(t.Context(), events(1000))
	require.Error(t, err)
	assert.Less(t, len(fmt.Sprint(err)), 200)
}
