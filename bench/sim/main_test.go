package main

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// update makes the tests of output write what they would compare with: testdata and the blocks of
// docs/choosing.md.
var update = flag.Bool("update", false, "write the expected output anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
