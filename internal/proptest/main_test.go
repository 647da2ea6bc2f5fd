package proptest

import (
	"flag"
	"log/slog"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// long is the factor of PROPTEST_LONG, 1 by default.
var long = 1

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv("PROPTEST_LONG")); err == nil && n > 0 {
		long = n
	}
	// Defaults; the command line wins.
	_ = flag.Set("rapid.nofailfile", "true")
	_ = flag.Set("rapid.checks", strconv.Itoa(200*long))
	_ = flag.Set("rapid.steps", "40")
	slog.SetDefault(slog.New(slog.DiscardHandler)) // batches fail on purpose
	flag.Parse()
	goleak.VerifyTestMain(m)
}
