package pgtest

// One server for all tests of a package.

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the server of Shared.
var shared struct {
	mu     sync.Mutex // guards the fields below; held while the server starts, which all wait for
	main   bool       // Main's Run is on
	opts   []Option
	server *Server // nil: not asked for yet
	err    error   // why there is none
	absent bool    // err is a lack of programs
}

// TestRunner runs the tests of a package: a *testing.M is one.
type TestRunner interface{ Run() int }

// Main wraps the tests of a package, so that they can use [Shared]:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }
//
// or, since goleak takes any such runner, goleak.VerifyTestMain(pgtest.Main(m)). The options are
// those of the shared server.
func Main(m TestRunner, opts ...Option) TestRunner { return sharing{m, opts} }

type sharing struct {
	tests TestRunner
	opts  []Option
}

// Run runs the tests, then stops the shared server if one of them has asked for it.
func (r sharing) Run() int {
	shared.mu.Lock()
	shared.main, shared.opts = true, r.opts
	shared.mu.Unlock()
	code := r.tests.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		if err := shared.server.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	shared.main, shared.server, shared.err = false, nil, nil
	return code
}

// Shared returns the server of the package's tests. The first call starts it, as [Start] would;
// it runs until all tests are over. Tests keep apart by having a database each, see
// [Server.NewDatabase], and must not take the server away from the others. It needs [Main].
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	switch {
	case !shared.main:
		t.Fatal("pgtest: Shared needs a TestMain that calls pgtest.Main(m).Run()")
	case shared.server == nil && shared.err == nil:
		startShared()
	}
	switch {
	case shared.absent:
		unavailable(t, shared.err.Error())
	case shared.err != nil:
		t.Fatal(shared.err)
	}
	return shared.server
}

// startShared starts the shared server, or notes why there is none: once for all tests.
func startShared() {
	programs, err := available()
	if err != nil {
		shared.err, shared.absent = err, true
		return
	}
	server, err := create(programs, newConfig(shared.opts))
	if err != nil {
		shared.err = err
		return
	}
	shared.server = server
}
