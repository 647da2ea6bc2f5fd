package kafkasink

// The sink: what it consists of, and what New refuses.

import (
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-4c1eaf8a/batcher"
)

// Sink writes items to Kafka. Its [Sink.Write] is the flush function of a batcher. Use [New].
type Sink[T any] struct {
	client   *kgo.Client
	record   func(item T, r *kgo.Record) error
	config   config
	hasTopic bool // the client has a default topic
	gate     gate

	size atomic.Int64 // bytes that the records of the last batch needed; a hint only
}

// New returns a sink that produces through client. It sends nothing.
//
// record describes an item: it fills the fields of r (Key, Value, Headers, Topic, Timestamp;
// Partition if the client has a [kgo.ManualPartitioner]), all of which are zero when it is called.
//   - An empty Topic stands for the client's [kgo.DefaultProduceTopic].
//   - A nil Value is a tombstone, and a nil Key leaves the partition to the client.
//   - It must not keep r. Unless [WithoutCopy] is given, what r points to is copied before Write
//     goes on, so it may be the item's own memory, or a buffer that record uses again.
//   - An error of it fails that item alone, for good ([batcher.Permanent]).
//   - It runs in Write, on the batcher's worker, so on several goroutines at once if there are
//     several workers. No lock is held. A panic in it reaches the caller of Write; nothing was sent.
//
// The client stays the user's: it may be shared with others, it is closed by the user, after the
// batcher. New returns an error that wraps [batcher.ErrConfig] and lists everything that is wrong:
// a nil client or function, a nil option, and a client that
//   - is in [kgo.ManualFlushing] mode: Write would wait for ever;
//   - has a [kgo.TransactionalID]: only who begins and ends the transactions knows what was written;
//   - has [kgo.RequiredAcks] of [kgo.NoAck]: nobody would know what was written.
func New[T any](
	client *kgo.Client, record func(item T, r *kgo.Record) error, opts ...Option,
) (*Sink[T], error) {
	s := &Sink[T]{client: client, record: record, gate: newGate()}
	var faults []error
	for i, opt := range opts {
		if opt == nil {
			faults = append(faults, fmt.Errorf("option %d of %d is nil", i+1, len(opts)))
			continue
		}
		opt(&s.config)
	}
	if record == nil {
		faults = append(faults, errors.New("the record function is nil"))
	}
	faults = append(faults, clientFaults(client)...)
	if all := errors.Join(faults...); all != nil {
		return nil, fmt.Errorf("kafkasink: %w:\n%w", batcher.ErrConfig, all)
	}
	topic, _ := client.OptValue(kgo.DefaultProduceTopic).(string)
	s.hasTopic = topic != ""
	return s, nil
}

// clientFaults lists the settings of the client under which Write could not keep its promises.
func clientFaults(client *kgo.Client) (faults []error) {
	if client == nil {
		return []error{errors.New("the client is nil")}
	}
	if manual, _ := client.OptValue(kgo.ManualFlushing).(bool); manual {
		faults = append(faults, errors.New(
			"the client has kgo.ManualFlushing: must be without, since nobody would flush"))
	}
	if id, _ := client.OptValue(kgo.TransactionalID).(string); id != "" {
		faults = append(faults, fmt.Errorf(
			"the client has kgo.TransactionalID(%q): must be without, since a sink has no transactions", id))
	}
	if acks := client.OptValue(kgo.RequiredAcks); reflect.DeepEqual(acks, kgo.NoAck()) {
		faults = append(faults, errors.New(
			"the client has kgo.RequiredAcks(kgo.NoAck()): must be LeaderAck or AllISRAcks"))
	}
	return faults
}
