// Package natssink writes the batches of a batcher to NATS JetStream, and waits for every
// acknowledgement.
//
//	js, err := jetstream.New(nc)
//	...
//	sink, err := natssink.New(js, func(o Order) (*nats.Msg, error) {
//		data, err := json.Marshal(o)
//		return &nats.Msg{Subject: "orders." + o.Customer, Data: data}, err
//	},
//		natssink.WithMessageID(func(o Order) string { return o.ID }),
//		natssink.WithExpectedStream("ORDERS"))
//	...
//	err = sink.Check(ctx, "orders.any")
//	...
//	b, err := batcher.New(sink.Write, batcher.WithMaxSize(500), batcher.WithRetry(...))
//
// It makes no streams. The connection is the user's: to be closed after the batcher.
//
// # Order
//
// The messages of a batch are published in order on one connection, and a stream stores them in the
// order in which they come. So with one worker, and as long as no message fails, the order is that in
// which the batcher accepted the items.
//
// The messages are under way together. If one of them fails, later ones of the batch may be stored
// before it is tried again: unlike Kafka's, this protocol has nothing that would hold them back. Batches
// after it wait, with one worker. Who needs order in the face of failures publishes one message at a
// time: WithMaxSize(1).
//
// # Duplicates
//
// An error does not mean that a message was not stored. It may have been, if the acknowledgement was
// lost, if the connection broke, or if ctx ended. The retry publishes it again, and only a message id
// makes the stream recognise it: see [WithMessageID]. A message that the stream has already counts
// as written.
//
// A stream remembers ids for the time of its window (Duplicates in its configuration, 2 minutes by
// default). It must be longer than an item can be under way, from its first attempt to its last:
//
//	attempts x (flush timeout + longest backoff)
//
// which for WithRetry(5, ExponentialBackoff(100*time.Millisecond, 10*time.Second)) and the flush timeout
// of 30 s is 5 x 40 s, more than the default. A window costs the server memory for each id in it. What
// is added again by the producer, after Add failed or after a restart, needs its time on top.
//
// # Which errors are permanent
//
//   - Refused by the message function, a nil message, a Reply, a subject that is empty, has white space,
//     an empty token or a wildcard, a header that cannot be sent, a message above the server's
//     max_payload: permanent, that item alone, before it is sent.
//   - Error code 400 (larger than the stream's limit, another stream than expected, a wrong last
//     sequence, a sealed stream, ...): permanent, that item alone. The server objects to the message.
//   - A full stream (with DiscardNew), no resources, too many requests: [batcher.RetryAfter] a second.
//   - No stream on the subject: worth another attempt, since a stream whose leader is being elected
//     looks the same. [Sink.Check] tells the two apart at the start.
//   - No acknowledgement in the time of [WithAckTimeout]: worth another attempt, those items alone.
//   - Everything else (lost connections, unknown errors): worth another attempt.
//
// If all messages of a batch failed for the same passing reason, that one error is returned.
//
// # Connections
//
// The sink relies on the client's reconnecting: set nats.MaxReconnects(-1), or the connection is closed
// for good after 60 failed attempts. While the client reconnects, Write waits, within its context, and
// publishes nothing: attempts of [batcher.WithRetry] are not used up by that, unless the flush timeout
// ends them. If the connection breaks in mid-write, the items without an acknowledgement fail at once.
//
// # Why not PublishMsgAsync
//
// Package jetstream has asynchronous publishing, and the sink speaks the same protocol by itself. With
// PublishMsgAsync, as of nats.go v1.55,
//   - a call that finds the window full waits for 200 ms, or what StallWait says, and not for a context;
//   - a message that was given up stays in the window and in memory until its answer comes. If
//     none comes, and without an ack timeout, that is for ever;
//   - a message that met no stream is published again by a timer, after Write may have returned, and
//     after later ones;
//   - a message costs some 35 allocations instead of 20 (those of a server in the same process included).
//
// So WithPublishAsyncMaxPending and its kin, given to jetstream.New, have no effect on the sink. Its own
// are [WithMaxPending] and [WithAckTimeout].
package natssink
