package pgsink_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// For benchmarks the shared server waits for the disk at each commit, as one in production does;
// tests do without.
func TestMain(m *testing.M) {
	flag.Parse()
	var opts []pgtest.Option
	if flag.Lookup("test.bench").Value.String() != "" {
		opts = append(opts, pgtest.WithFsync())
	}
	goleak.VerifyTestMain(pgtest.Main(m, opts...))
}
