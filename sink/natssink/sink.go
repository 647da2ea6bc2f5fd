package natssink

// The sink: what it consists of, and what New refuses.

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-4c1eaf8a/batcher"
)

// Sink writes items to JetStream. Its [Sink.Write] is the flush function of a batcher. Use [New].
type Sink[T any] struct {
	js        jetstream.JetStream
	message   func(item T) (*nats.Msg, error)
	id        func(item T) string // nil if messages have no ids
	config    config
	publisher *publisher
}

// New returns a sink that publishes through the connection of js. It sends nothing.
//
// message describes an item: a subject, and data and headers as need be. Reply must be empty, since
// the acknowledgements come there.
//   - What it returns is copied before Write goes on, and not changed: it may be the item's own
//     memory, or a message that the function uses again.
//   - An error of it, a nil message and a subject that cannot be published to fail that item
//     alone, for good ([batcher.Permanent]).
//   - It runs in Write, on the batcher's worker, so on several goroutines at once if there are
//     several workers. No lock is held. A panic in it reaches the caller of Write; nothing was sent.
//
// The connection stays the user's: it may be shared with others, and is closed by the user, after
// the batcher. At its first Write the sink subscribes to an inbox for the acknowledgements, until
// [Sink.Close] or the end of the connection. The options of js about asynchronous publishing are
// without effect: see "Why not PublishMsgAsync" in the package documentation.
//
// New returns an error that wraps [batcher.ErrConfig] and lists everything that is wrong. Whether
// there is a stream that takes the messages is not known to New: ask [Sink.Check].
func New[T any](
	js jetstream.JetStream, message func(item T) (*nats.Msg, error), opts ...Option,
) (*Sink[T], error) {
	s := &Sink[T]{js: js, message: message, config: defaults()}
	faults := s.config.apply(opts)
	if isNil(js) {
		faults = append(faults, errors.New("the JetStream context is nil"))
	} else if js.Conn() == nil {
		faults = append(faults, errors.New("the JetStream context has no connection"))
	}
	if message == nil {
		faults = append(faults, errors.New("the message function is nil"))
	}
	id, fault := idFunction[T](s.config.id)
	if fault != nil {
		faults = append(faults, fault)
	}
	if all := errors.Join(faults...); all != nil {
		return nil, fmt.Errorf("natssink: %w:\n%w", batcher.ErrConfig, all)
	}
	s.id = id
	s.publisher = newPublisher(js.Conn(), s.config.maxPending)
	return s, nil
}

// isNil reports whether js is nil, or an interface that holds nil.
func isNil(js jetstream.JetStream) bool {
	if js == nil {
		return true
	}
	v := reflect.ValueOf(js)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// Close gives up the sink's inbox on the connection, which stays open. It is for programs that make
// many sinks on one connection, and called after the batcher was closed: a Write that is under way
// then gets no more acknowledgements, and later ones fail. The end of the connection does as well.
// Closing twice does nothing.
func (s *Sink[T]) Close() error { return s.publisher.close() }
