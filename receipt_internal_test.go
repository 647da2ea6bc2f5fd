package batcher

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

// lateContext ends, and in the very moment in which that is seen the fate is known.
type lateContext struct {
	context.Context
	settle func()
}

func (c lateContext) Done() <-chan struct{} { c.settle(); return closedChan }

func TestAFateThatIsKnownWinsOverTheEndOfTheContext(t *testing.T) {
	f := &fates{life: newLifetime(context.Background())}
	fate := errors.New("fate")
	ctx := lateContext{context.Background(), func() { f.settle(1, fate) }} // and nothing is announced yet
	assert.Equal(t, fate, Receipt{f, 0}.Wait(ctx))
}
