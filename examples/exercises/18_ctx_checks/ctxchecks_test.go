package ctxchecks

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// adder is what all variants are.
type adder interface {
	Add(ctx context.Context, item int) error
}

// channels are the variants with a channel.
var channels = []string{"slow", "single", "fast"}

func open(name string, in chan int) adder {
	switch name {
	case "slow":
		return Slow{in}
	case "single":
		return Single{in}
	}
	return Fast{in}
}

func TestEveryVariantSendsTheItemsInOrder(t *testing.T) {
	for _, name := range channels {
		in := make(chan int, 3)
		a := open(name, in)
		for i := range 3 {
			require.NoError(t, a.Add(t.Context(), i))
		}
		for i := range 3 {
			assert.Equal(t, i, <-in, name)
		}
	}
	var got []int
	l, err := NewLibrary(10, func(batch []int) { got = append(got, batch...) })
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, l.Add(t.Context(), i))
	}
	require.NoError(t, l.Close(t.Context()))
	assert.Equal(t, []int{0, 1, 2}, got)
}

// acceptedAfterCancel returns how many of n items are accepted for a context that has ended.
func acceptedAfterCancel(a adder, n int) (accepted int) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for i := range n {
		if a.Add(ctx, i) == nil {
			accepted++
		}
	}
	return accepted
}

func TestASingleSelectAcceptsAboutHalfForAContextThatHasEnded(t *testing.T) {
	const n = 10_000
	accepted := map[string]int{}
	for _, name := range channels {
		in := make(chan int, n)
		accepted[name] = acceptedAfterCancel(open(name, in), n)
		assert.Len(t, in, accepted[name], name)
	}
	// Outside of 4500 to 5500 is ten standard deviations away.
	assert.InDelta(t, n/2, accepted["single"], 500)
	assert.Zero(t, accepted["slow"])
	assert.Zero(t, accepted["fast"])

	l, err := NewLibrary(n, func([]int) { t.Error("a batch of items that were refused") })
	require.NoError(t, err)
	assert.Zero(t, acceptedAfterCancel(l, n))
	require.NoError(t, l.Close(t.Context()))
}

// checkWait checks that an Add for which there is no room waits, and ends with its context.
func checkWait(t *testing.T, name string, a adder) {
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- a.Add(ctx, 1) }()
	synctest.Wait()
	assert.Empty(t, result, "%s: it waits", name)
	cancel()
	synctest.Wait()
	require.Len(t, result, 1, name)
	assert.ErrorIs(t, <-result, context.Canceled, name)
}

func TestAnAddThatWaitsEndsWithItsContext(t *testing.T) {
	for _, name := range channels {
		synctest.Test(t, func(t *testing.T) { checkWait(t, name, open(name, make(chan int))) })
	}
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l, err := NewLibrary(1, func([]int) { <-release })
		require.NoError(t, err)
		for range 2 { // one for the worker, one for the queue
			require.NoError(t, l.Add(t.Context(), 0))
		}
		checkWait(t, "library", l)
		close(release)
		require.NoError(t, l.Close(t.Context()))
	})
}

func TestAnAddThatWaitsSendsWhenThereIsRoom(t *testing.T) {
	for _, name := range channels {
		synctest.Test(t, func(t *testing.T) {
			in := make(chan int, 1)
			a := open(name, in)
			require.NoError(t, a.Add(t.Context(), 1))
			go func() { assert.NoError(t, a.Add(t.Context(), 2), name) }()
			synctest.Wait()
			assert.Equal(t, 1, <-in, name)
			assert.Equal(t, 2, <-in, name)
		})
	}
}

func TestNoVariantAllocates(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, name := range channels {
		in := make(chan int, 1)
		a := open(name, in)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			_ = a.Add(ctx, 1)
			<-in
		}), name)
	}
}
