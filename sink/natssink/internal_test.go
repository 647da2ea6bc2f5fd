package natssink

// Reading answers, and what a Write allocates by itself.

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
)

func TestAnswersAreReadWhateverTheyLookLike(t *testing.T) {
	for _, good := range []string{
		`{"stream":"EVENTS","seq":17}`,
		`{"stream":"EVENTS", "seq":17,"duplicate": true}`,
		`{"stream":"error","domain":"hub", "seq":1}`,
		`{"type":"ack","stream":"EVENTS","seq":1}`,
		`{"stream":"a\"error\":b","seq":1}`,
	} {
		assert.NoError(t, answer(&nats.Msg{Data: []byte(good)}), good)
	}
	for _, bad := range []string{
		``, `{}`, `+OK`, `{"stream":"","seq":1`, `{"stream":"EVENTS","seq":1`, `{"seq":1}`,
		`{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"EVENTS","seq":0}`,
		`{"stream":"EVENTS","seq":0,"error":{"code":400,"err_code":10054,"description":"too large"}}`,
	} {
		assert.Error(t, answer(&nats.Msg{Data: []byte(bad)}), bad)
	}
	none := &nats.Msg{Header: nats.Header{"Status": {"503"}}}
	assert.Equal(t, jetstream.ErrNoStreamResponse, answer(none))
}

func TestTheServersErrorsAreClassifiedByTheirCodes(t *testing.T) {
	const permanent, full, transient = "permanent", "full", "transient"
	for _, line := range []struct {
		code   int
		number jetstream.ErrorCode
		text   string
		want   string
	}{
		{400, 10054, "message size exceeds maximum allowed", permanent},
		{400, 10060, "expected stream does not match", permanent},
		{400, 10109, "invalid operation on sealed stream", permanent},
		{503, 10077, "message too large", permanent},
		{503, 10077, "maximum bytes exceeded", full},
		{400, 10002, "resource limits exceeded for account", full},
		{503, 10023, "insufficient resources", full},
		{500, 10047, "insufficient storage resources available", full},
		{429, 10167, "too many requests", full},
		{429, 1, "something new", full},
		{409, 10158, "duplicate message id is in process", transient},
		{503, 10008, "JetStream system temporarily unavailable", transient},
		{500, 1, "something new", transient},
		{404, 10059, "stream not found", transient},
	} {
		api := &jetstream.APIError{Code: line.code, ErrorCode: line.number, Description: line.text}
		err := classify(api)
		require.ErrorIs(t, err, api)
		_, throttled := batcher.RetryDelay(err)
		got := transient
		switch {
		case batcher.IsPermanent(err):
			got = permanent
		case throttled:
			got = full
		}
		assert.Equal(t, line.want, got, line.text)
	}
}

func TestAnswersToNobodyAreIgnored(t *testing.T) {
	p := &publisher{prefix: "_INBOX.x.", flights: make(map[uint64]*flight), window: make(chan struct{}, 9)}
	f, err := p.start(2)
	require.NoError(t, err)
	require.True(t, f.admit(nil))
	good := []byte(`{"stream":"EVENTS","seq":1}`)
	for _, subject := range []string{
		"_INBOX.x.", "_INBOX.x.1", "_INBOX.x.1.", "_INBOX.x.1.-1", "_INBOX.x.1.2", "_INBOX.x.2.0", "_INBOX.x.-.0",
	} {
		p.answered(&nats.Msg{Subject: subject, Data: good})
	}
	settled, _ := f.progress()
	assert.Zero(t, settled)
	for range 3 { // an answer that comes again changes nothing
		p.answered(&nats.Msg{Subject: "_INBOX.x.1.0", Data: good})
	}
	settled, _ = f.progress()
	assert.Equal(t, 1, settled)
	assert.Empty(t, p.window, "the token is back")
	p.end(f)
	p.answered(&nats.Msg{Subject: "_INBOX.x.1.1", Data: good})
	assert.Empty(t, p.flights)
}

func TestAFlightThatIsStoppedGivesItsTokensBack(t *testing.T) {
	window := make(chan struct{}, 3)
	f := newFlight(1, 5, window)
	for range 3 {
		require.True(t, f.admit(nil))
	}
	f.resolve(1, nil)
	f.resolve(4, nats.ErrMaxPayload) // was never admitted
	assert.Len(t, window, 2)
	f.stop()
	f.stop()
	assert.Empty(t, window)
	f.failRest(nats.ErrDisconnected)
	assert.NoError(t, f.errs[0])
	assert.False(t, f.admit(nil))
	assert.Empty(t, window)
}

func TestAllocDescribingABatchIsTwoAllocationsBesideTheUsers(t *testing.T) {
	plain := &nats.Msg{Subject: "events.a", Data: make([]byte, 4)}
	s := &Sink[int]{message: func(int) (*nats.Msg, error) { return plain, nil }}
	for _, size := range []int{1, 100, 1000} {
		batch := make([]int, size)
		allocs := testing.AllocsPerRun(20, func() { s.encode(batch) })
		assert.Equal(t, 2.0, allocs, "%d items", size) // the messages, and a block of bytes
	}
}
