package natssink

// Reading answers, and which errors are worth another attempt.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-4c1eaf8a/batcher"
)

// fullPause is how long to wait if a stream or a server has no room. They do not say for how long.
const fullPause = time.Second

// The codes of the server's errors that package jetstream has no names for.
const (
	codeAccountResources    jetstream.ErrorCode = 10002
	codeInsufficient        jetstream.ErrorCode = 10023
	codeMemoryExceeded      jetstream.ErrorCode = 10028
	codeStorageExceeded     jetstream.ErrorCode = 10047
	codeStoreFailed         jetstream.ErrorCode = 10077 // stream full, among others
	codeDuplicateInProgress jetstream.ErrorCode = 10158
	codeTooManyRequests     jetstream.ErrorCode = 10167
)

// answer reads an answer: nil if the stream has the message. A duplicate is one that it has.
func answer(m *nats.Msg) error {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return jetstream.ErrNoStreamResponse // no stream listens on the subject
	}
	// {"stream":"EVENTS","seq":17} is what nearly all are like, and not worth a parser.
	if bytes.HasPrefix(m.Data, []byte(`{"stream":"`)) && !bytes.Contains(m.Data, []byte(`"error":`)) &&
		bytes.Contains(m.Data, []byte(`"seq":`)) && bytes.HasSuffix(m.Data, []byte("}")) {
		return nil
	}
	var parsed struct {
		Error  *jetstream.APIError `json:"error"`
		Stream string              `json:"stream"`
	}
	if err := json.Unmarshal(m.Data, &parsed); err != nil {
		return fmt.Errorf("%w: %w", jetstream.ErrInvalidJSAck, err)
	}
	switch {
	case parsed.Error != nil:
		return parsed.Error
	case parsed.Stream == "":
		return jetstream.ErrInvalidJSAck
	}
	return nil
}

// classify marks the error of a message. What is not known to be permanent is worth another attempt.
func classify(err error) error {
	marked := err
	if !errors.Is(err, ErrAckTimeout) { // has the prefix
		marked = fmt.Errorf("natssink: %w", err)
	}
	if isMessageError(err) {
		return batcher.Permanent(marked)
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return marked
	}
	switch {
	case isTooLargeToStore(api):
		return batcher.Permanent(marked)
	case isFull(api):
		return batcher.RetryAfter(marked, fullPause)
	case api.ErrorCode == codeDuplicateInProgress:
		return marked // the same message, of an earlier attempt, is being stored at this moment
	case api.Code == 400:
		return batcher.Permanent(marked) // the server objects to what the message says
	}
	return marked
}

// isFull reports whether there was no room, or too much to do.
func isFull(api *jetstream.APIError) bool {
	switch api.ErrorCode {
	case codeAccountResources, codeInsufficient, codeMemoryExceeded, codeStorageExceeded,
		codeStoreFailed, codeTooManyRequests:
		return true
	}
	return api.Code == 429
}

// isTooLargeToStore reports the one failure of a store that lies in the message.
func isTooLargeToStore(api *jetstream.APIError) bool {
	return api.ErrorCode == codeStoreFailed && strings.Contains(api.Description, "message too large")
}
