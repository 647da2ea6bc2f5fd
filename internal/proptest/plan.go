package proptest

// What the script decides beforehand: options, items, and what flushes do.

import (
	"fmt"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Config is the options of one batcher, as the model reads them.
type Config struct {
	MaxSize   int
	MaxWeight int // 0 is off
	MaxDelay  time.Duration
	Eager     bool
	Workers   int
	Depth     int // queue depth
	Overflow  batcher.Overflow
	Attempts  int
	Backoff   time.Duration // before attempt n+1: n times this
	RetryIf   bool          // WorthIt is asked
	Bisect    bool
	Timeout   time.Duration // 0 is none
	Keep      bool          // WithoutReuse
	Hooks     bool
	Evil      bool // hooks and the dead letter handler misbehave
}

// Item is what the tests batch.
type Item struct {
	ID, Weight int
}

// End is how a call of the flush function ends.
type End int

// The ends.
const (
	EndReturn End = iota // return the error that Behaviour.Tree builds
	EndPanic
	EndGoexit
)

// Scribble is what a call of the flush function does to its slice.
type Scribble int

// The scribbles.
const (
	ScribbleNone Scribble = iota
	ScribbleSort          // in descending order
	ScribbleZero          // overwrite everything
	ScribbleTail          // shorten and append
)

// InnerKind is a call back into the batcher from inside a flush.
type InnerKind int

// The inner calls.
const (
	InnerNone InnerKind = iota
	InnerAdd
	InnerTryAdd
	InnerSubmit
	InnerAddAll
	InnerForbidden // Flush, Close and AddWait: all must be refused
)

// Behaviour is what one call of the flush function does. It belongs to the
// first item of the batch, so that it does not depend on which worker runs it.
type Behaviour struct {
	Delay    time.Duration // before Inner; at least 1 ns
	Inner    InnerKind
	Items    []Item // for Inner
	Hold     bool   // then until it is released; else for Work
	Honour   bool   // returns the context's error when that ends
	Work     time.Duration
	Scribble Scribble
	End      End
	Tree     *Tree
	Letter   time.Duration // how long the dead letter handler takes, if all items fail at once
}

// String shows the behaviour in failure reports.
func (b Behaviour) String() string {
	s := fmt.Sprintf("delay %v", b.Delay)
	if b.Inner != InnerNone {
		s += fmt.Sprintf(", inner %d %v", b.Inner, b.Items)
	}
	if b.Hold {
		s += ", hold"
	} else {
		s += fmt.Sprintf(", work %v", b.Work)
	}
	if b.Honour {
		s += ", honours ctx"
	}
	return s + fmt.Sprintf(", scribble %d, end %d, err %v, letter %v", b.Scribble, b.End, b.Tree, b.Letter)
}

// Plans are the behaviours of calls, by the first item and by how many calls
// that item has led before. Calls beyond the list succeed.
type Plans map[int][]Behaviour

// Get returns the behaviour of a call.
func (p Plans) Get(lead, nth int) Behaviour {
	if nth < len(p[lead]) {
		return p[lead][nth]
	}
	return Behaviour{Delay: Offset(lead, nth), Work: Offset(nth, lead)}
}

// Offset is a small duration that is different for almost all calls, so that
// things do not happen at the same instant unless they are meant to.
func Offset(lead, nth int) time.Duration {
	return time.Duration(1 + (lead*131+nth*17)%997)
}

// OpKind is a method of the batcher that the script calls.
type OpKind int

// The methods.
const (
	OpAdd OpKind = iota
	OpTryAdd
	OpAddAll
	OpAddWait
	OpSubmit
	OpFlush
	OpClose
)

// Op is one call by the script, on a goroutine of its own.
type Op struct {
	ID       int
	Kind     OpKind
	Items    []Item
	Ended    bool          // its context has ended at the call
	Deadline time.Duration // when its context ends; 0 is never
}

// String shows the call in failure reports.
func (o Op) String() string {
	names := [...]string{"Add", "TryAdd", "AddAll", "AddWait", "Submit", "Flush", "Close"}
	s := fmt.Sprintf("#%d %s%v", o.ID, names[o.Kind], o.Items)
	if o.Ended {
		s += " ctx ended"
	}
	if o.Deadline > 0 {
		s += fmt.Sprintf(" ctx ends at %v", o.Deadline)
	}
	return s
}

// IDString shows item numbers in failure reports; 0 stands for one not known yet.
func IDString(ids []int) string { return fmt.Sprint(ids) }
