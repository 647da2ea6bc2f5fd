package kafkasink

// Which errors are worth another attempt.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-4c1eaf8a/batcher"
)

// throttlePause is how long to wait if a broker says that it is overloaded, which it does without
// saying for how long. Throttling by quota is no error: the client waits by itself.
const throttlePause = time.Second

// The errors that a broker gives to a whole batch of the client although a single record may have
// caused them. The client fails everything that it holds for the partition with them.
var contentErrors = []error{
	kerr.MessageTooLarge,
	kerr.RecordListTooLarge,
	kerr.InvalidRecord,
	kerr.InvalidTimestamp,
	kerr.CorruptMessage,
}

// The errors that the same records would meet again, whatever they are sent with.
var hopeless = []error{
	kerr.InvalidTopicException,
	kerr.UnsupportedForMessageFormat,
	kerr.UnsupportedCompressionType,
	kerr.InvalidRequiredAcks,
}

// condemned is a record that failed alone, with no other one around that could have been the cause.
type condemned struct{ err error }

func (c *condemned) Error() string { return c.err.Error() }
func (c *condemned) Unwrap() error { return c.err }

func isCondemned(err error) bool {
	_, yes := errors.AsType[*condemned](err)
	return yes
}

func isContentError(err error) bool { return isOneOf(err, contentErrors) }

func isOneOf(err error, list []error) bool {
	for _, one := range list {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// classify marks the error of a record. What is not known to be permanent is worth another attempt.
func classify(err error) error {
	marked := fmt.Errorf("kafkasink: %w", err)
	switch {
	case isCondemned(err) && !errors.Is(err, kerr.CorruptMessage): // damage on the way is no fault of the item
		return batcher.Permanent(marked)
	case isOneOf(err, hopeless):
		return batcher.Permanent(marked)
	case errors.Is(err, kerr.ThrottlingQuotaExceeded):
		return batcher.RetryAfter(marked, throttlePause)
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("kafkasink: given up together with other records of the partition: %w", err)
	}
	return marked
}
