package httpsink

// The pool of bodies: who may read one when, and what is kept.

import (
	"io"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lentBody returns a loan of a body with the text, and a pointer that tells when the body is gone.
func lentBody(p *bodyPool, text string) *loan {
	b := p.get()
	b.data = append(b.data, text...)
	return p.lend(b)
}

func TestTheBodyIsKeptUntilTheLastReaderIsClosed(t *testing.T) {
	var pool bodyPool
	l := lentBody(&pool, "text")
	first, err := l.open()
	require.NoError(t, err)
	second, err := l.open()
	require.NoError(t, err)

	l.release() // Write returns
	require.NotNil(t, l.body)
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "a second Close counts for nothing")
	require.NotNil(t, l.body)
	all, err := io.ReadAll(second)
	require.NoError(t, err)
	assert.Equal(t, "text", string(all))
	require.NoError(t, second.Close())
	assert.Nil(t, l.body)

	_, err = first.Read(make([]byte, 1))
	assert.ErrorIs(t, err, errClosed)
	_, err = l.open()
	assert.ErrorIs(t, err, errGone, "another Write may have the buffer now")
}

func TestALoanKnowsWhetherItsLatestReaderGotToTheEnd(t *testing.T) {
	var pool bodyPool
	l := lentBody(&pool, "text")
	r, _ := l.open()
	buf := make([]byte, 3)
	_, _ = r.Read(buf)
	assert.False(t, l.consumed())
	_, _ = r.Read(buf)
	assert.True(t, l.consumed())
	n, err := r.Read(nil)
	assert.Equal(t, 0, n)
	assert.NoError(t, err)
	_, err = r.Read(buf)
	assert.Equal(t, io.EOF, err)
	_ = r.Close()
	assert.True(t, l.consumed())
	_, _ = l.open()
	assert.False(t, l.consumed())
}

func TestF37_TheBufferOfALargeBatchIsLetGo(t *testing.T) {
	var pool bodyPool
	b := &body{data: make([]byte, 10<<20)}
	gone := weak.Make(b)
	pool.put(b)
	b = nil
	for range 20 {
		b := pool.get()
		b.data = append(b.data, make([]byte, 1000)...)
		pool.put(b)
	}
	assert.LessOrEqual(t, cap(pool.get().data), smallBody)
	runtime.GC() // one is not enough to empty a pool
	assert.Nil(t, gone.Value())
}

func TestBuffersOfTheUsualSizeAreKept(t *testing.T) {
	var pool bodyPool
	pool.put(&body{data: make([]byte, 1<<20)})
	for range 1000 { // under the race detector, the pool drops some
		if b := pool.get(); cap(b.data) == 1<<20 {
			assert.Empty(t, b.data)
			return
		}
		pool.put(&body{data: make([]byte, 1<<20)})
	}
	t.Error("none was kept")
}

func TestF37_ADeskForgetsALargeItem(t *testing.T) {
	c, faults := newConfig([]Option{WithZstd(1)})
	require.Empty(t, faults)
	enc, faults := newEncoding[int](c)
	require.Empty(t, faults)
	d := enc.deskFor(new(bodyPool))
	d.plain.data = make([]byte, 10<<20)
	enc.putAway(d)
	assert.Zero(t, cap(d.plain.data))
}

func TestADeskHasNoBodyWhileItIsPutAway(t *testing.T) {
	for _, opt := range []Option{WithZstd(1), WithGzip(1), WithJSONArray()} {
		c, _ := newConfig([]Option{opt})
		enc, _ := newEncoding[int](c)
		var pool bodyPool
		e, err := enc.encode([]int{1, 2}, &pool)
		require.NoError(t, err)
		gone := weak.Make(e.body)
		e.body = nil
		runtime.GC()
		assert.Nil(t, gone.Value())
		runtime.KeepAlive(&enc)
	}
}
