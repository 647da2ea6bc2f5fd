// Package contender puts this library, its rivals, the loop of the textbooks and the limits of
// the machine behind one small interface, so that all of them can be measured and tried alike.
//
// Each adapter is a file of its own. It says which settings its library cannot honour, and what
// it does more than the others: neither is to be hidden by a figure.
package contender

import (
	"context"
	"time"
)

// Settings are what a workload asks of every contender.
type Settings struct {
	MaxSize  int           // items in a batch at most
	MaxDelay time.Duration // how long the first item of a batch waits at most
	Workers  int           // concurrent calls of the sink
	Queue    int           // batches that may wait for a worker
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
	New    func(Settings, Sink[T]) (Queue[T], error)
}
