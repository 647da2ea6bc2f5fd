// Package httpsink writes batches to an HTTP endpoint: log and event collectors, bulk APIs,
// webhooks. One batch is one request, as NDJSON, as a JSON array, or as an encoder of the user's
// makes it, compressed with gzip or zstd on request.
//
//	sink, err := httpsink.New[Event]("https://collector.example/v1/events",
//		httpsink.WithZstd(1),
//		httpsink.WithHeader("Authorization", "Bearer "+token),
//	)
//	...
//	b, err := batcher.New(sink.Write,
//		batcher.WithMaxSize(1000),
//		batcher.WithWorkers(4),
//		batcher.WithRetry(8, batcher.ExponentialBackoff(100*time.Millisecond, 30*time.Second)),
//	)
//
// The sink makes one attempt and says what became of it; pauses, further attempts, splits and dead
// letters are the batcher's. It has no goroutine of its own.
//
// # What an error means
//
// A status of 2xx means that the batch was written, whatever follows in the body ([WithResults]
// looks into it). Everything else is an error:
//
//   - 408, 429 and 5xx, and 401, 403, 407, 421 and 425, which are not the fault of the items, are
//     worth another attempt: no mark, or [batcher.RetryAfter] if the answer has a Retry-After that
//     can be understood, be it seconds or a date. A date is measured against the answer's own
//     Date, so that the two clocks need not agree.
//   - 413 is marked with [batcher.TooLarge], so the batch is split in two.
//   - Other 4xx, and 3xx that are not followed, are marked with [batcher.Permanent]: the same
//     items would meet the same again. [WithTransient] makes exceptions.
//   - Failures of the connection, answers that are no HTTP, and a 2xx that comes before the server
//     can have read the items, are not marked. So are faults of a TLS certificate: they depend on
//     the machines, not on the items, and are gone when the certificate is renewed.
//   - If the context ended, its cause and its Err are found by [errors.Is]; no mark. A batch for
//     which it had ended before was not sent.
//
// One item that cannot be encoded does not fail the batch: the others are sent, and if they were
// written, Write returns a [*batcher.PartialError] with a Permanent error for the bad one. If they
// were not, Write returns why, for the batch as a whole; the bad one is found again at the next
// attempt.
//
// Errors show the URL without user info and the values of its query, and the beginning of the
// answer in printable characters. The values of the headers that were sent are blotted out of that,
// as are the user info and the query. The path is shown: it is no place for a secret. What the
// function of WithResults or WithRequest returns is shown as it is.
//
// # Idempotency
//
// An error does not mean that nothing was written: a connection can break between the server's
// commit and its answer. The next attempt then writes again, unless the server can tell. For that,
// each request has a header Idempotency-Key ([WithIdempotencyKey]) with a UUID that is the same for
// all attempts at the same items, and different for all others, batches with equal content and
// the halves of a split batch included. When some items of a batch were written and others were not,
// the rest is a new request with a new key.
//
// Keys are made of a random number of the sink, and of what [batcher.InfoFrom] says of the piece of
// the batch. If an attempt leaves out other items than the one before, because an encoder fails
// only now and then, its key is another one. A Write outside of a batcher has a fresh key each time.
//
// Servers that do not know the header ignore it. The alternative is an id in each item, given by
// the producer, by which the server tells that it has it: the "create" of Elasticsearch, say. That
// also serves after a restart of the program.
//
// The header has an effect on net/http as well: it may send a request that has it again, at once
// and inside of one attempt, if a kept connection turns out to be closed. Without a key, such a
// failure is returned, and left to the batcher's attempts.
//
// # Encoders
//
// The default is encoding/json, applied to a pointer to the item, without the escapes that it makes
// for HTML. [WithJSONEncoder] takes a function in its place that appends the JSON of one item. A
// hand-written one is about five times as fast, and then encoding costs less than compression.
// These fit as they are, or in one line:
//
//   - AppendText and AppendBinary of [encoding.TextAppender] and [encoding.BinaryAppender];
//   - Append of github.com/segmentio/encoding/json;
//   - MarshalMsg of the code that github.com/tinylib/msgp generates, for [WithEncoder];
//   - MarshalAppend of google.golang.org/protobuf, for WithEncoder, with a length before each
//     message (protodelim's format).
//
// Everything that returns a []byte of its own, as json.Marshal does, works as well: the bytes are
// copied.
//
// # Connections
//
// Answers are read to their end, up to 64 KiB and one second, so that connections are used again.
// The sink's own client keeps as many as there are workers, speaks HTTP/2 where the server does,
// and has no timeout: the context of the attempt bounds it, see [batcher.WithFlushTimeout]. TLS,
// proxies, unix sockets and limits are a matter of [WithClient].
//
// A server that refuses a large body may close the connection so fast that its 413 is lost, and all
// that is left is a failure of the connection, which is not marked. Where that happens, the header
// "Expect: 100-continue" holds the body back until the server asks for it, or for a second.
//
// # Redirects
//
// 307 and 308 are followed, up to ten of them, with the batch. 301, 302 and 303 are not, since
// net/http would go on with a GET, without the batch; nor is one from https to http. At another
// host, the headers of [WithHeader] and [WithRequest] are left out, except Content-Type and the
// like; a CheckRedirect in the client of [WithClient] is asked after that, and can put them
// back, or refuse.
//
// # Memory
//
// A batch is encoded as a whole before it is sent, so that its length is known and it can be sent
// again. With a compression only the compressed bytes are held. Buffers and compressors are
// pooled per sink; a buffer goes back once net/http has closed all readers of it, which may be
// after Write has returned. Buffers that a rare large batch has grown are let go.
package httpsink
