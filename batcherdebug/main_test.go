package batcherdebug

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // batches fail on purpose
	goleak.VerifyTestMain(m)
}
