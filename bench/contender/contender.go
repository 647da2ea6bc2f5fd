// Package contender puts this library, its rivals, the loop of the textbooks and the limits of
// the machine behind one small interface, so that all of them can be measured and tried alike.
//
// Each adapter is a file of its own. It says which settings its library cannot honour, and what
// it does more than the others: neither is to be hidden by a figure.
package contender

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Settings are what a workload asks of every contender. Each has to be set, except the last two,
// which only the trials of what goes wrong need.
type Settings struct {
	MaxSize  int           // items in a batch at most
	MaxDelay time.Duration // how long the first item of a batch waits at most
	Workers  int           // concurrent calls of the sink
	Queue    int           // batches that may wait for a worker

	// Attempts is how often a batch is tried, where the library can try again. 0 and 1: once.
	Attempts int

	// Report is told of each failure of the sink that the library passes on, to whomever it passes
	// it on; from any goroutine, once for a batch or once for an item. Nil: nobody asks.
	Report func(error)
}

// Sink receives batches. It must not keep the slice. An error means that nothing of the batch was
// taken.
type Sink[T any] func(ctx context.Context, batch []T) error

// Queue is a running batcher.
type Queue[T any] interface {
	// Add hands over one item, waits for room where the library can wait, and returns an error
	// if the library refused the item.
	Add(ctx context.Context, item T) error

	// Close ends the queue, and returns when all that was accepted has gone to the sink, as far as
	// the library can tell.
	Close(ctx context.Context) error
}

// Kind is what a contender is to be read as.
type Kind string

// The kinds of contender.
const (
	Ours    Kind = "ours"    // this library
	Library Kind = "library" // a rival
	ByHand  Kind = "by hand" // what people write themselves
	Limit   Kind = "limit"   // no batcher: what the machine allows at best
)

// Contender is an implementation to be measured.
type Contender[T any] struct {
	Name   string // as in tables: short, unique, of letters, digits and hyphens
	Module string // the path of its module, empty for what is written here
	Kind   Kind
	Richer string   // what it does for each item that the others do not, such as "a result for each item"
	Unable []string // the settings that it cannot honour, each with what it does instead

	Fed          bool   // Add is a send on a channel that is the caller's, and not the library's affair
	Callers      bool   // the library holds no item but those of callers that wait; the bound on them is the adapter's
	AddContext   bool   // the library's Add looks at its context
	CloseContext bool   // the library's shutdown ends with its context
	Reports      string // who learns that the sink failed; empty: nobody

	Producers int  // how many may add at once; 0: as many as like to
	Hollow    bool // the sink gets as many items as were added, but not those: it cannot be verified

	New func(Settings, Sink[T]) (Queue[T], error)
}

// CannotDo reports whether a setting, such as "MaxSize", is among those that it cannot honour.
func (c Contender[T]) CannotDo(setting string) bool {
	return slices.ContainsFunc(c.Unable, func(u string) bool { return strings.HasPrefix(u, setting+":") })
}

// Find returns the contender of that name, of those of All.
func Find[T any](name string) (Contender[T], bool) {
	all := All[T]()
	i := slices.IndexFunc(all, func(c Contender[T]) bool { return c.Name == name })
	if i < 0 {
		return Contender[T]{}, false
	}
	return all[i], true
}
