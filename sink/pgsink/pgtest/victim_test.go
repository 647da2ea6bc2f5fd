package pgtest_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// TestVictim is the test process that is killed in another test.
func TestVictim(t *testing.T) {
	if os.Getenv(asVictim) == "" {
		t.Skip("only as a process of its own")
	}
	server := pgtest.Start(t)
	fmt.Println("listening on " + server.Addr())
	<-t.Context().Done() // until it is killed
}

// failing is a test whose failure is looked at, not counted.
type failing struct {
	testing.TB
	failure *string
}

func (f *failing) Fatal(args ...any) {
	*f.failure = fmt.Sprint(args...)
	runtime.Goexit()
}
