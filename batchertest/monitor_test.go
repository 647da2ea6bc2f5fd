package batchertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhoeverHasWaitedIsForgotten(t *testing.T) {
	var m monitor
	n := 0
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, m.await(ctx, "await", 1, func() int { return n }), context.Canceled)
	assert.Empty(t, m.waiting)
	m.change(func() { n++ })
	assert.NoError(t, m.await(ctx, "await", 1, func() int { return n }))
	assert.Empty(t, m.waiting)
}
