package batcher

// The delivery engine: the queue of batches, the workers that take them, and the
// books. The front ends feed it; they differ only in how items find their batch.

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// engine delivers batches of T for a front end.
//
// Lock order: the intake's locks, then mu, then a batch's fates.
type engine[T any] struct {
	*config
	in        intake[T]
	letters   func(context.Context, DeadLetter[T]) // nil: log them
	life      *lifetime
	watchers  watchers
	logs      logs
	startWork func()        // e.work, made once: a method value allocates
	over      chan struct{} // closed by finishIfIdleLocked, or by abort; nobody sends
	pool      pool[T]

	// What a Combiner does otherwise.
	partialOf func(err error, items []T) *PartialError // which of items have failed; nil if err does not say
	fold      func(b *batch[T])                        // stepFold; nil without WithFoldBack

	mu      sync.Mutex                // guards the fields below; never held while waiting
	queue   list[batch[T], *batch[T]] // first come, first served; without keys, only the last one may be filling
	parked  list[batch[T], *batch[T]] // sealed, and waiting for an earlier batch of their key to end
	running list[batch[T], *batch[T]] // taken by a worker, not handed back yet; in the order taken
	working int                       // worker goroutines; one with nothing to do ends
	ticking int                       // 1 while Close waits for a timer that has fired already
	epochs  epochs
	books   books
	hungry  bool  // somebody waits for room: the intake wants to be told of it, by admit
	closing bool  // Close was called: the intake is closed, and everything is in the queue
	aborted bool  // Close gave up: all that was undecided was handed back; no settling counts
	result  error // what Close returns, final once over is closed
}

// intake is what the engine needs to know of the front end that feeds it.
type intake[T any] interface {
	// All locks that guard filling batches.
	locks

	// seal ends the filling of a queued batch that a worker has taken. It
	// takes the locks by itself; the batch may have been sealed meanwhile.
	seal(b *batch[T])

	// due sees to it that all filling batches that are not queued yet are, as
	// soon as may be. It takes the locks by itself.
	due(r Reason)

	// closeLocked ends the intake: it refuses items from now on, turns away
	// those who wait, seals what is filling, and stops the timer. It reports
	// whether the timer has fired already, so that its goroutine will call
	// tickEnded. It is called once.
	closeLocked() (ticking bool)

	// admit lets in what waits for room, after some of b's items have met their
	// fate. It takes the locks by itself.
	admit(b *batch[T])

	// freedLocked tells that n items of b have met their fate, and reports
	// whether admit must be called for that even if the engine is not hungry.
	// The engine's lock is held, so this takes none.
	freedLocked(b *batch[T], n int) (hungry bool)

	// left tells that b, all of whose items have met their fate, is about to be
	// recycled. No lock is held.
	left(b *batch[T])

	// heldLocked returns how many items the intake holds, in filling batches or
	// before them, how many producers wait for room, and when the oldest of those
	// items was accepted.
	heldLocked() (items, waiting int, oldest time.Time)

	// call calls the user's flush function.
	call(ctx context.Context, b *batch[T], items []T) error

	// handBack returns the *CloseError for what is left when Close gives up.
	handBack(left leftovers[T], cause error) error
}

// locks are one lock, or several that are always taken in the same order.
type locks interface {
	lock()
	unlock()
}

func (e *engine[T]) init(c *config, in intake[T], letters func(context.Context, DeadLetter[T])) {
	e.config, e.in, e.letters = c, in, letters
	e.life = newLifetime(c.base)
	e.startWork = e.work
	e.partialOf = partialByIndex[T]
	e.over = make(chan struct{})
	for _, h := range c.hooks {
		e.watchers.add(h)
	}
}

// open returns a blank batch if there is room for one, else nil. The intake is
// told when there is, if somebody will wait for it.
//
// A batch is opened only if a place is left for it behind the workers: then
// sealing and queueing it never has to wait.
func (e *engine[T]) open(willWait bool) *batch[T] {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.roomLocked() {
		e.hungry = e.hungry || willWait
		return nil
	}
	return e.blankLocked()
}

// openLast is open for what Close has found in lanes, whether there is room or not: no
// more than half a batch.
func (e *engine[T]) openLast() *batch[T] {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.blankLocked()
}

// blankLocked returns a batch that may be filled.
func (e *engine[T]) blankLocked() *batch[T] {
	b := e.pool.get()
	b.filling = true
	b.epoch = e.epochs.join()
	return b
}

// joinEpoch counts something in the current epoch that will be, or go into, a batch: a
// chunk in a lane, what a key fills.
func (e *engine[T]) joinEpoch() *epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.epochs.join()
}

// roomLocked reports whether another batch may be opened. A batch that an idle
// worker is about to take does not count as waiting, so the answer does not
// depend on how fast goroutines start.
func (e *engine[T]) roomLocked() bool {
	return e.queue.len+e.running.len < e.workers+e.queueDepth
}

// enqueue puts a batch that is due into the queue while it is still filling.
// The intake's lock is held.
func (e *engine[T]) enqueue(b *batch[T], r Reason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.enqueueLocked(b, r)
}

func (e *engine[T]) enqueueLocked(b *batch[T], r Reason) {
	b.queued, b.reason = true, r
	e.queue.pushBack(b)
	if e.working < e.workers {
		e.working++
		go e.startWork()
	}
}

// seal takes ownership of b, which has got its items, and queues it unless it was.
// The intake's lock is held.
func (e *engine[T]) seal(b *batch[T], r Reason) {
	b.filledFor = time.Since(b.firstAdded)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sealLocked(b, r)
	if !b.queued {
		e.enqueueLocked(b, r)
	}
}

// park is seal for a batch that must wait until unpark, behind another one of its
// key. The intake's lock is held.
func (e *engine[T]) park(b *batch[T], r Reason) {
	b.filledFor = time.Since(b.firstAdded)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sealLocked(b, r)
	e.parked.pushBack(b)
}

// unpark queues a parked batch. The intake's lock is held.
func (e *engine[T]) unpark(b *batch[T]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.aborted { // it was handed back
		return
	}
	e.parked.remove(b)
	e.enqueueLocked(b, b.reason)
}

// occupied reports whether every worker has a batch, or will have one at once.
func (e *engine[T]) occupied() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queue.len+e.running.len >= e.workers
}

func (e *engine[T]) sealLocked(b *batch[T], r Reason) {
	b.filling, b.reason = false, r
	e.books.added += int64(len(b.items))
	e.books.batches[r]++
}

// work is a worker goroutine: it takes batches until there are none.
func (e *engine[T]) work() { e.workOn(nil) }

// workOn is work, beginning with b unless nil.
//
// When the user's code leaves by runtime.Goexit, this goroutine is lost. A
// successor then goes on with the batch; all that it must know is in the batch.
func (e *engine[T]) workOn(b *batch[T]) {
	defer func() {
		if b != nil {
			go e.workOn(b)
		}
	}()
	for {
		if b == nil {
			if b = e.take(); b == nil {
				return
			}
		}
		e.deliver(b)
		e.release(b)
		b = nil
	}
}

// batchNumbers numbers the batches of all batchers, so that a number is enough to name one. It costs
// an atomic add for each batch.
var batchNumbers atomic.Uint64

// take returns the next batch from the queue, sealed, or ends the worker.
func (e *engine[T]) take() *batch[T] {
	e.mu.Lock()
	b := e.queue.popFront()
	if b == nil {
		e.working--
		e.finishIfIdleLocked()
		e.mu.Unlock()
		return nil
	}
	e.running.pushBack(b)
	b.taken = true
	filling := b.filling
	e.mu.Unlock()
	e.pool.equip(b)
	b.number = batchNumbers.Add(1)
	if filling {
		e.in.seal(b)
	}
	b.attempts = b.tried // not before: until it is sealed, values may be folded into it
	return b
}

// release takes ownership of a batch that a worker is done with.
func (e *engine[T]) release(b *batch[T]) {
	hungry := false
	if !b.gone {
		e.mu.Lock()
		if !e.aborted { // else what is in it is Close's
			e.leaveLocked(b)
			hungry = e.hungerLocked()
		}
		e.mu.Unlock()
	}
	if hungry {
		e.in.admit(b)
	}
	if b.gone {
		e.recycle(b)
	}
}

// recycle takes ownership of a batch that is gone.
func (e *engine[T]) recycle(b *batch[T]) {
	e.pool.note(len(b.items))
	e.in.left(b)
	e.pool.put(b)
}

// leaveLocked ends a batch, in which nothing is left to do: its place is free.
func (e *engine[T]) leaveLocked(b *batch[T]) {
	if b.listed() {
		e.running.remove(b)
	}
	b.gone = true
	e.epochs.leave(b.epoch)
}

// hungerLocked reports whether admit must be called, once the lock is released,
// since there may be room now for those who wait.
func (e *engine[T]) hungerLocked() (hungry bool) {
	hungry, e.hungry = e.hungry, false
	return hungry
}

// settle decides the next n items of a batch: flushed if failure is nil, else
// given up. It reports false if Close gave up before: then the items are Close's.
func (e *engine[T]) settle(b *batch[T], n int, failure *FlushError) bool {
	hungry := false
	e.mu.Lock()
	settled := !e.aborted
	if settled {
		hungry = e.settleLocked(b, n, failure)
		if b.pos == len(b.items) && failure == nil { // else the user's dead letter handler comes
			e.leaveLocked(b)
			hungry = e.hungerLocked() || hungry
		}
	}
	e.mu.Unlock()
	if hungry {
		e.in.admit(b)
	}
	if settled && b.fates != nil {
		b.fates.announce()
	}
	return settled
}

// settleLocked is settle without its consequences. It reports whether the intake wants
// to admit producers.
func (e *engine[T]) settleLocked(b *batch[T], n int, failure *FlushError) (hungry bool) {
	b.pos += n
	var fate error
	if failure == nil {
		e.books.flushed += int64(n)
	} else {
		fate = failure
		e.books.giveUp(n, failure)
		e.epochs.report(b.epoch, failure)
	}
	if b.fates != nil {
		b.fates.settle(n, fate)
	}
	return e.in.freedLocked(b, n)
}

// finishIfIdleLocked ends Close's wait once nothing is left to do.
func (e *engine[T]) finishIfIdleLocked() {
	if e.closing && !e.aborted && e.working == 0 && e.ticking == 0 && e.queue.len == 0 {
		close(e.over)
	}
}
