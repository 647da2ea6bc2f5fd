package kafkasink

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheGateLetsManyInOrOneAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		require.NoError(t, g.enter(t.Context()))
		require.NoError(t, g.enter(t.Context()))
		locked, entered := make(chan error, 1), make(chan error, 1)
		go func() { locked <- g.lock(t.Context()) }()
		synctest.Wait()
		go func() { entered <- g.enter(t.Context()) }()
		g.leave()
		synctest.Wait()
		assert.Empty(t, locked, "one is still in")
		assert.Empty(t, entered, "the next one waits behind the lock")
		g.leave()
		require.NoError(t, <-locked)
		synctest.Wait()
		assert.Empty(t, entered)
		g.begin()
		g.leave()
		g.unlock()
		require.NoError(t, <-entered)
		g.leave()
	})
}

func TestWaitingAtTheGateEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		require.NoError(t, g.enter(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, g.lock(ctx), context.DeadlineExceeded)
		require.NoError(t, g.enter(t.Context()), "the turn was given back")
		g.leave()
		g.leave()
		require.NoError(t, g.lock(t.Context()))
		for _, wait := range []func(context.Context) error{g.enter, g.lock} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			assert.ErrorIs(t, wait(ctx), context.DeadlineExceeded)
			cancel()
		}
		g.unlock()
		require.NoError(t, g.lock(t.Context()), "and again")
		g.unlock()
	})
}
