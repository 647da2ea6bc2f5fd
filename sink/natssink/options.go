package natssink

// Options: what can be chosen, what is chosen when nothing is said, and what is refused.

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Option configures a sink; see the With functions. An option given twice counts as last given.
type Option func(*config)

// config holds what the options said. The function of T is kept as any until New knows T.
type config struct {
	id         any // func(T) string
	stream     string
	streamSet  bool
	maxPending int
	ackTimeout time.Duration
}

func defaults() config {
	return config{
		maxPending: 4000, // as in package jetstream; a stream's own queue takes 10 000 by default
		ackTimeout: 5 * time.Second,
	}
}

// apply applies opts and lists what is wrong with them.
func (c *config) apply(opts []Option) (faults []error) {
	for i, opt := range opts {
		if opt == nil {
			faults = append(faults, fmt.Errorf("option %d of %d is nil", i+1, len(opts)))
			continue
		}
		opt(c)
	}
	const most = 1 << 20
	if c.maxPending < 1 || c.maxPending > most {
		faults = append(faults, fmt.Errorf("WithMaxPending(%d): must be from 1 to %d", c.maxPending, most))
	}
	if c.ackTimeout < 0 {
		faults = append(faults, fmt.Errorf("WithAckTimeout(%v): must not be negative (0 means none)", c.ackTimeout))
	}
	if c.streamSet && (c.stream == "" || strings.ContainsAny(c.stream, " \t\r\n.*>")) {
		faults = append(faults, fmt.Errorf("WithExpectedStream(%q): not the name of a stream", c.stream))
	}
	return faults
}

// idFunction returns the function of WithMessageID, nil if the option was not given, and a fault if
// it is nil or was made for another T.
func idFunction[T any](stored any) (id func(T) string, fault error) {
	if stored == nil {
		return nil, nil
	}
	id, ok := stored.(func(T) string)
	switch {
	case !ok:
		return nil, fmt.Errorf("WithMessageID: its function is a %T, but this sink needs a %T", stored, id)
	case reflect.ValueOf(stored).IsNil():
		return nil, fmt.Errorf("WithMessageID: the function is nil")
	}
	return id, nil
}

// WithMessageID gives each message the id that the function returns, in the header Nats-Msg-Id, so
// that the stream stores it once although it is published again: within the stream's window
// (jetstream.StreamConfig.Duplicates, 2 minutes by default) after it was stored. Default: no ids, except
// those that the message function sets itself.
//
// The id must come from the item (an order number, a UUID that the producer made) and not from the
// attempt: what is made anew for each attempt recognises nothing. It must be different for different
// items of the stream: the second one would be acknowledged and not stored. An empty id stands for
// none. The window must be longer than an item may be under way: see "Duplicates" in the package
// documentation.
//
// The function runs where the message function does, and after it.
func WithMessageID[T any](id func(item T) string) Option {
	return func(c *config) { c.id = id }
}

// WithExpectedStream makes the server refuse, for good, each message that another stream than the
// one of that name would store. Default: whichever stream listens on the subject.
func WithExpectedStream(name string) Option {
	return func(c *config) { c.stream, c.streamSet = name, true }
}

// WithMaxPending sets how many messages of the sink may be without an acknowledgement at once, over
// all its Writes. Beyond it Write waits, and keeps to its context. From 1 to 1 048 576; default 4000.
//
// A server takes in 10 000 messages of a stream at once by default (max_buffered_msgs) and refuses
// what is beyond, which costs a retry. All sinks, and all processes, that write to a stream should
// stay below that together.
func WithMaxPending(n int) Option { return func(c *config) { c.maxPending = n } }

// WithAckTimeout sets how long a Write goes on without any acknowledgement before it takes the
// missing ones for lost: between d and 2d. Those items then fail, and may have been stored all the
// same. 0 means for ever, until the context ends; negative is refused. Default 5 s.
//
// An acknowledgement is lost, for instance, if the stream's leader dies. Without this bound a Write
// would wait for the batcher's flush timeout, 30 s by default, and the whole batch would be tried
// again instead of the missing items.
func WithAckTimeout(d time.Duration) Option { return func(c *config) { c.ackTimeout = d } }
