package natssink

// The connection's side: publishing, and acknowledgements on their way back.

import (
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var errClosed = errors.New("the sink is closed")

// publisher publishes flights of messages over one connection. It knows nothing of items.
//
// Its methods that use the connection may block for as long as a stalled network does: the client
// holds its lock while it writes. So they run on a goroutine of the flight, and Write never calls one.
type publisher struct {
	conn   *nats.Conn
	window chan struct{} // one token for each message without an answer; its capacity is WithMaxPending
	prefix string        // of the subjects of all answers: the inbox and a dot

	subscribing sync.Mutex // guards the field below; held while subscribing, so taken by flights only
	sub         *nats.Subscription

	mu      sync.Mutex // guards the fields below; never held while waiting
	flights map[uint64]*flight
	last    uint64 // number of the last flight
	closed  bool
}

func newPublisher(conn *nats.Conn, maxPending int) *publisher {
	return &publisher{
		conn:    conn,
		window:  make(chan struct{}, maxPending),
		prefix:  conn.NewInbox() + ".",
		flights: make(map[uint64]*flight),
	}
}

// start registers a flight for n messages. end must follow.
func (p *publisher) start(n int) (*flight, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	p.last++
	f := newFlight(p.last, n, p.window)
	p.flights[f.number] = f
	return f, nil
}

// end lets go of the flight: its publishing stops, and later answers are not for anyone.
func (p *publisher) end(f *flight) {
	p.mu.Lock()
	delete(p.flights, f.number)
	p.mu.Unlock()
	f.stop()
}

// fly publishes the messages as soon as the connection is there, and watches it until all are
// answered or the flight was stopped.
func (p *publisher) fly(f *flight, messages []message, stream string) {
	status := p.conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer p.conn.RemoveStatusListener(status)
	if !p.awaitConnection(f, status) {
		return
	}
	if err := p.subscribe(); err != nil {
		f.failRest(err)
		return
	}
	f.begin()
	if p.publish(f, messages, stream, status) {
		f.watch(status)
	}
}

// awaitConnection waits while the client reconnects. What would be published meanwhile would sit in
// the client's buffer, and be stored even if nobody waits for it any more.
func (p *publisher) awaitConnection(f *flight, status <-chan nats.Status) bool {
	for {
		switch p.conn.Status() {
		case nats.CONNECTED:
			return true
		case nats.CLOSED:
			f.failRest(nats.ErrConnectionClosed)
			return false
		case nats.DRAINING_SUBS, nats.DRAINING_PUBS:
			f.failRest(nats.ErrConnectionDraining)
			return false
		}
		select {
		case <-status:
		case <-f.over():
			return false
		}
	}
}

// subscribe sees to it that answers come back. The client renews the subscription when it has
// reconnected.
func (p *publisher) subscribe() error {
	p.subscribing.Lock()
	defer p.subscribing.Unlock()
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return errClosed
	}
	if p.sub != nil {
		return nil
	}
	sub, err := p.conn.Subscribe(p.prefix+">", p.answered)
	p.sub = sub
	return err
}

// close gives the subscription up.
func (p *publisher) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.subscribing.Lock()
	defer p.subscribing.Unlock()
	if p.sub == nil {
		return nil
	}
	sub := p.sub
	p.sub = nil
	if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return err
	}
	return nil
}

// publish publishes the messages in order, as the window allows. It reports false if there is
// nothing more to wait for.
func (p *publisher) publish(f *flight, messages []message, stream string, status <-chan nats.Status) bool {
	reply := p.replies(f.number, len(messages))
	out := newEnvelope(stream)
	for i := range messages {
		if !f.admit(status) {
			return false
		}
		err := p.conn.PublishMsg(out.with(&messages[i], reply(i)))
		switch {
		case err == nil:
		case isMessageError(err):
			f.resolve(i, err)
		default:
			f.failRest(err)
			return false
		}
	}
	return true
}

// replies returns a function that returns the subject for the answer to message i: all of
// them share one string.
func (p *publisher) replies(flight uint64, n int) func(i int) string {
	ends := make([]int32, n)
	all := make([]byte, 0, n*(len(p.prefix)+12))
	for i := range n {
		all = append(all, p.prefix...)
		all = strconv.AppendUint(all, flight, 36)
		all = append(all, '.')
		all = strconv.AppendInt(all, int64(i), 10)
		ends[i] = int32(len(all))
	}
	text, from := string(all), int32(0)
	return func(i int) string { // is asked in order
		one := text[from:ends[i]]
		from = ends[i]
		return one
	}
}

// answered takes an answer to its message. It runs on the subscription's goroutine.
func (p *publisher) answered(m *nats.Msg) {
	flightText, indexText, ok := strings.Cut(strings.TrimPrefix(m.Subject, p.prefix), ".")
	if !ok {
		return
	}
	number, err := strconv.ParseUint(flightText, 36, 64)
	if err != nil {
		return
	}
	i, err := strconv.Atoi(indexText)
	if err != nil {
		return
	}
	p.mu.Lock()
	f := p.flights[number]
	p.mu.Unlock()
	if f != nil {
		f.resolve(i, answer(m))
	}
}

// envelope is the message that the client is given, the same for all of a flight: the client has
// written it out when PublishMsg returns.
type envelope struct {
	msg    nats.Msg
	stream []string    // value of the header that names the expected stream; nil if there is none
	id     []string    // value of the header with the id
	header nats.Header // for messages without a header of the user
}

func newEnvelope(stream string) *envelope {
	e := &envelope{id: make([]string, 1), header: make(nats.Header, 2)}
	if stream != "" {
		e.stream = []string{stream}
		e.header[jetstream.ExpectedStreamHeader] = e.stream
	}
	return e
}

// with returns the envelope filled with m.
func (e *envelope) with(m *message, reply string) *nats.Msg {
	header := m.header
	switch {
	case header != nil && e.stream != nil:
		header[jetstream.ExpectedStreamHeader] = e.stream
	case header == nil && m.id != "":
		e.id[0] = m.id
		e.header[jetstream.MsgIDHeader] = e.id
		header = e.header
	case header == nil:
		delete(e.header, jetstream.MsgIDHeader)
		header = e.header
	}
	e.msg = nats.Msg{Subject: m.subject, Reply: reply, Data: m.data, Header: header}
	return &e.msg
}
