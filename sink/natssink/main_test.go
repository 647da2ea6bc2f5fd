package natssink_test

import (
	"testing"

	"go.uber.org/goleak"
)

// What is ignored belongs to the server, which runs in this process for the tests alone. It starts
// these goroutines once for the process or once for its stores, and has no call that ends them or
// waits for them:
//   - the cache of the current time of its access logic (ats), and the one that expires file caches;
//   - the disk I/O of stores that a stopped server has not finished with.
//
// Of the sink and of the client nothing is ignored.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	)
}
