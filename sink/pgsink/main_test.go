package pgsink_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// The shared server waits for the disk, so that the benchmarks measure what a server does.
func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m, pgtest.WithFsync())) }
