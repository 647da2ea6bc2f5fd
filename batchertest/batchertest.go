// Package batchertest helps to test code that uses package batcher.
//
//   - [Sink] is a flush function that records its calls, and fails, hangs and panics on command.
//   - [Letters] is a dead letter handler that records what was given up.
//   - [CheckNoRetention] and [Poison] find a flush function that keeps the slice it was given.
//   - [TestSink] is the test of a flush function for others to use, such as that of a database.
//
// A test makes the program's batcher write to a sink, and asserts on what arrived:
//
//	sink := batchertest.NewSink[Event]()
//	sink.FailNext(1, errors.New("connection reset"))
//	b, err := batcher.New(sink.Write, batcher.WithRetry(3, backoff))
//
// # Commands
//
// Without a command a sink takes every batch at once. A call goes through these stages, each of
// which is there only on command:
//
//  1. [Sink.Hold] keeps the call until it is released.
//  2. [Sink.Delay] makes it wait.
//  3. The Next commands ([Sink.FailNext], [Sink.PanicNext], [Sink.GoexitNext], [Sink.SucceedNext])
//     are a script: one step for each call, in the order in which they were given. A call that
//     gets a step ends with it, one that finds the script empty goes on.
//  4. The function of [Sink.FailWith] may fail the call.
//  5. The function of [Sink.RejectItems] may fail some of the items.
//
// What holds for stages 2 to 5 is decided for a call when it is let through: when it begins or, if
// it was held, when it is released. So a held call can still be commanded, calls take their steps
// of the script in the order in which they began or were released, and a call whose context ends
// while it is held takes none. [Sink.Succeed] takes back all commands.
//
// # Contexts
//
// A call that is held or delayed gives up when its context ends, and returns the cause, as a
// driver of a database does. After [Sink.IgnoreContext] it hangs on instead, as a bad one does.
// Where it does not wait, a sink does not look at its context, but records if it had ended.
//
// # Waiting
//
// [Sink.WaitCalls], [Sink.WaitItems], [Sink.WaitHeld], [Letters.WaitLetters] and
// [Letters.WaitItems] wait for something to have been recorded. They return nil as soon as it is,
// whatever the state of their context, and otherwise, when that ends, an error that wraps its
// cause and says how far things had come. They do not poll, so they serve in real time as in a
// bubble. They panic if the context is nil.
//
// A batcher accounts for a batch after the flush function has returned. Who wants to assert on
// its Stats waits for the batcher instead: by Flush, AddWait, a receipt or synctest.Wait.
//
// # Sinks
//
// A sink is what writes batches to a real system: a value whose method Write is a
// [batcher.FlushFunc]. It may be handed to any batcher, so it has to do what they all rely on, and
// [TestSink] checks that it does. This is what it asks:
//
//   - Write returns nil if everything was written, and only then. It does not trust the system it
//     writes to, but counts rows and acknowledgements. An empty batch is nothing to do.
//   - Write keeps neither the slice nor, in the background, what its items point to. It may be
//     called from several goroutines at once.
//   - If the context has ended, Write sends nothing. If it ends in mid-write, Write gives up soon. Its
//     error wraps [context.Cause], without a mark, as it says nothing about the items, and may be
//     told apart by its cause. The next call works: no broken connection is left for it.
//   - An item that cannot be sent fails alone, with [batcher.Permanent] in a
//     [*batcher.PartialError], and the others are written. If their write fails, that failure is
//     returned without the bad item, which is found again: marks of the whole would condemn the
//     good items with the bad one, and a PartialError alone would settle them as written.
//   - [batcher.Permanent] is for what the same items would always meet. What depends on the moment,
//     such as a lost connection, an overload or a failover, has no mark, or that of
//     [batcher.RetryAfter].
//   - No error tells a password.
//
// An error of a sink does not mean that nothing was written: an answer may be lost on its way back.
// So a sink that can write the same items again without harm says how; TestSink checks it for those
// that claim it.
//
// # Bubbles
//
// All but TestSink can be used in a bubble of [testing/synctest], where times and delays are exact,
// if it was made inside that bubble. A test must not end while a call hangs: release what it holds,
// or begin with
//
//	t.Cleanup(sink.Succeed)
//
// All methods may be called from any goroutine. No lock is held while one waits or calls a function
// of the user, so those functions may call the methods in turn.
package batchertest
