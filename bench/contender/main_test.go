package contender_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that tests leave behind, other than those which go-zero keeps for ten
// intervals after the last item, and those that a package starts when it is loaded.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }
