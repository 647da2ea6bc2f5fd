// Package kafkasink writes the batches of a batcher to Kafka, with the client franz-go. A record that
// the brokers refuse is found among the others, and fails alone.
//
//	client, err := kgo.NewClient(kgo.SeedBrokers(...), kgo.DefaultProduceTopic("orders"),
//		kgo.RecordDeliveryTimeout(20*time.Second))
//	...
//	sink, err := kafkasink.New(client, func(o Order, r *kgo.Record) (err error) {
//		r.Key = []byte(o.Customer)
//		r.Value, err = json.Marshal(o)
//		return err
//	})
//	...
//	b, err := batcher.New(sink.Write, batcher.WithMaxSize(1000), batcher.WithRetry(...))
//
// It is not a consumer, and it has no transactions. The client is the user's: to be closed after the
// batcher.
//
// # Order
//
// The records of a batch are handed to the client in order, and the client keeps the order within a
// partition, its own retries included (idempotent production is its default). So with one worker, and
// as long as no record fails, the order per key is that in which the batcher accepted the items.
//
// If a record fails, whatever the client holds for the partition at that moment fails with it, so that
// no gap is left; the records of other partitions are not concerned. They are tried again by the
// batcher, while one worker holds the later batches back. What can overtake them are records of the
// same batch that Write hands over just after the failure. To rule that out, give the client a
// [kgo.ProducerLinger] that is longer than a Write needs to hand over a batch (a second, say), a
// [kgo.MaxBufferedRecords] above the size of a batch, and batches below
// [kgo.ProducerBatchMaxBytes] per partition: nothing of a batch is then sent before all of it is there.
// No batch waits for that linger, except the first one to a topic and, now and then, one just after a
// failure.
//
// With more workers there is order within the part of a batch that goes to one partition, no more.
// An item that is given up leaves its place empty.
//
// # Duplicates
//
// An error does not mean that nothing was written. While the client tries by itself, the brokers
// recognise a record that they have. A record that Write hands over again, in another attempt,
// is another record to them. That happens
//   - when ctx ends in mid-write (the batcher's flush timeout, or Close that gives up): what was sent
//     cannot be called back and may be written later, by the client, even after the retry. It
//     holds the batch's records until then; they are never used again;
//   - when a record failed in a way that leaves it open whether it was written, such as a client that
//     gave up after [kgo.RecordRetries].
//
// So let the client give up first: [kgo.RecordDeliveryTimeout] below the batcher's flush timeout (30 s
// by default). It keeps to that where it is safe: not for a request that was sent and not answered,
// unless [kgo.AllowIdempotentProduceCancellation] is given. And let consumers recognise records: by an
// id in the value or in a header that comes from the item, or by a compacted topic with keys.
//
// # Retries of the client, retries of the batcher
//
// By default the client tries again without end whatever Kafka calls retriable (a broker that
// restarts, a leader that moves, too few replicas), 4 times for a topic that does not exist. This
// is the better retry: it keeps the order and writes once. The batcher's comes after it. Without
// [kgo.RecordDeliveryTimeout] or [kgo.RecordRetries] only the flush timeout ends it.
//
// # Which errors are permanent
//
//   - Refused by the record function, or without a topic: permanent, that item alone.
//   - MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_RECORD, INVALID_TIMESTAMP: permanent for a
//     record that is refused alone. Brokers refuse a whole batch for one record, so Write tries the
//     records that failed with it again, in halves, with no other Write of the sink under way: about
//     2 log2(n) calls for one culprit among n, during which the other Writes wait. A batch that was
//     only too large as a whole is written that way.
//   - INVALID_TOPIC_EXCEPTION, UNSUPPORTED_FOR_MESSAGE_FORMAT, UNSUPPORTED_COMPRESSION_TYPE,
//     INVALID_REQUIRED_ACKS: permanent. No retry changes that.
//   - UNKNOWN_TOPIC_OR_PARTITION: worth another attempt; a topic may be about to be made, or its
//     metadata on the way.
//   - TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED: worth another attempt. They
//     depend on access lists and credentials, which change, and not on the items.
//   - THROTTLING_QUOTA_EXCEEDED: [batcher.RetryAfter] a second. Throttling by quota mostly comes without
//     an error: the client waits by itself.
//   - CORRUPT_MESSAGE: worth another attempt, after a search for the culprit. Damage on the way is no
//     fault of the item.
//   - Everything else (connections, timeouts, leaders, a closed client, unknown errors): worth another
//     attempt. Permanent is only what is known to be.
//
// A client that is shared with other producers fails its records together with theirs, if they
// fail for one partition. Such failures are not held against an item: to be condemned it has to fail
// alone. But what others produce during that search is beyond the sink's sight; give it a client of
// its own where poison is to be expected.
//
// # Sizes
//
//   - The client splits a batch by partition, and each part at [kgo.ProducerBatchMaxBytes] (1 MB).
//     MaxSize times the size of an item is best near the number of partitions times some 100 KB: large
//     enough to compress well, small enough for one request per broker.
//   - [kgo.MaxBufferedRecords] (50 000) is best above MaxSize x Workers. A larger batch is no deadlock:
//     Write then hands over as the brokers acknowledge.
//   - The client's linger (10 ms) is not added to a batch, except as said under "Order".
package kafkasink
