package natssink

// From items to messages that the sink owns.

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-4c1eaf8a/batcher"
)

var (
	errNilMessage = errors.New("the message is nil")
	errReply      = errors.New("the message has a reply subject, where acknowledgements are to come")
)

// message is what is published for an item. It shares no memory with the user that the user could
// change.
type message struct {
	item    int // its index in the batch
	subject string
	data    []byte
	id      string      // for the header; empty if there is none
	header  nats.Header // of the user, id included; nil if there is none
}

// encode asks the message function about every item. bad has the items that failed, nil if none did.
func (s *Sink[T]) encode(items []T) (good []message, bad map[int]error) {
	good = make([]message, 0, len(items))
	var own block
	for i := range items {
		m, err := s.describe(items[i], &own)
		if err != nil {
			if bad == nil {
				bad = make(map[int]error)
			}
			bad[i] = batcher.Permanent(fmt.Errorf("natssink: message of the item: %w", err))
			continue
		}
		m.item = i
		good = append(good, m)
	}
	return good, bad
}

// describe makes a message of one item.
func (s *Sink[T]) describe(item T, own *block) (m message, err error) {
	described, err := s.message(item)
	switch {
	case err != nil:
		return m, err
	case described == nil:
		return m, errNilMessage
	case described.Reply != "":
		return m, errReply
	}
	if err := validSubject(described.Subject); err != nil {
		return m, err
	}
	m.subject = described.Subject
	if s.id != nil {
		m.id = s.id(item)
	}
	m.header = ownHeader(described.Header, m.id)
	m.data = own.copied(described.Data)
	return m, nil
}

// ownHeader returns a copy of the user's header with the id in it, nil if the user has set none.
func ownHeader(header nats.Header, id string) nats.Header {
	if len(header) == 0 {
		return nil
	}
	own := make(nats.Header, len(header)+2)
	for key, values := range header {
		own[key] = append([]string(nil), values...)
	}
	if id != "" {
		own.Set(jetstream.MsgIDHeader, id)
	}
	return own
}

// validSubject refuses what a server would not take for the subject of one message: some of it would
// break the protocol, and a wildcard would be stored under that very name.
func validSubject(subject string) error {
	if subject == "" {
		return errors.New("the subject is empty")
	}
	if strings.ContainsAny(subject, " \t\r\n") {
		return fmt.Errorf("subject %q: has white space", subject)
	}
	for token := range strings.SplitSeq(subject, ".") {
		switch token {
		case "":
			return fmt.Errorf("subject %q: has an empty token", subject)
		case "*", ">":
			return fmt.Errorf("subject %q: has a wildcard", subject)
		}
	}
	return nil
}

// block gives data memory of its own. A full one is followed by one of twice the size, and never
// moved. It is not used again: a publishing goroutine may outlive its Write.
type block struct{ free []byte }

func (b *block) copied(data []byte) []byte {
	const smallest = 4096
	if len(data) > cap(b.free)-len(b.free) {
		b.free = make([]byte, 0, max(len(data), 2*cap(b.free), smallest))
	}
	from := len(b.free)
	b.free = append(b.free, data...)
	return b.free[from:len(b.free):len(b.free)]
}
