package proptest

// What the model is made of.

import (
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// A Slot is a place in a batch. While it is not known which of several waiting
// producers took it, Item is 0 and Group says who may have.
type Slot struct {
	Item  int
	Group *Group
}

// A Group is the items of producers that were let in at the same instant, in
// an order that the contract leaves open.
type Group struct {
	Left []int
}

// Fate is what became of an item.
type Fate int

// The fates.
const (
	Open Fate = iota
	Flushed
	Failed
	Dropped
	Returned
)

// ItemState is what the model knows of an accepted item.
type ItemState struct {
	Item
	Fate     Fate
	At       time.Duration // when it met its fate
	Cause    Cause
	Attempts int
	Group    int         // how many items share the failure; 0 is not known
	Led      int         // calls that it was the first item of
	In       *BatchState // its batch once that was called or dropped; nil before, or if it never had one
}

// Cause is why an item was given up.
type Cause struct {
	Leaf    Leaf // of the attempt; Index is that of a PartialError's entry, or -1
	Panic   bool
	Goexit  bool
	Timeout bool
	Dropped bool
	Opaque  bool // an error without a leaf that can be found
}

// BatchState is a batch, open, queued or running.
type BatchState struct {
	Seq    int
	Slots  []*Slot
	Weight int
	First  time.Duration
	Sealed time.Duration
	Reason batcher.Reason
	Also   batcher.Reason // another reason that the contract allows
	Due    bool           // queued, though it may still be filling

	taken    int       // the step in which a worker took it
	pieces   [][]*Slot // what is undecided; the first one is being tried
	attempt  int
	phase    phase
	wake     time.Duration // when the phase ends, except in a hold
	deadline time.Duration // when the attempt's context ends; 0 is never
	lead     int
	nth      int
	beh      Behaviour
}

// Call is a call of the flush function as the model predicts it.
type Call struct {
	At       time.Duration
	Slots    []*Slot
	Reason   batcher.Reason
	Also     batcher.Reason
	Attempt  int
	Weight   int
	First    time.Duration
	Sealed   time.Duration
	Deadline time.Duration
}

// Pause is a wait between two attempts, as the Retry hook sees it.
type Pause struct {
	At, Wait time.Duration
	Size     int
}

// OpState is a call by the script in progress or done.
type OpState struct {
	Op
	rest     []Item // not yet accepted
	waits    bool   // for room
	fate     int    // the item whose fate it waits for
	waitsFor map[*BatchState]bool

	Done   bool
	DoneAt time.Duration
	N      int
	Want   Answer
	Gave   int // Flush: items given up since the call, in the batches concerned
}

// Answer is what a call returns.
type Answer int

// The answers.
const (
	AnsNil Answer = iota
	AnsClosed
	AnsFull
	AnsTooHeavy
	AnsNegative
	AnsCause     // the cause of the call's context
	AnsReentrant // ErrReentrant
	AnsFate      // AddWait: the fate of its item
	AnsFailures  // Flush: *FlushErrors
	AnsCloseErr  // the *CloseError
	AnsAny       // the contract is silent
)

// Inner is the predicted answer to a call from inside a flush.
type Inner struct {
	Lead, Nth int
	N         int
	Want      Answer
}
