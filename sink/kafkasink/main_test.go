package kafkasink_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing is ignored: a test closes its clients and its cluster, and no goroutine may be left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
