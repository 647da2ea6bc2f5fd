package batcher

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestF37_ThePoolKeepsWhatIsUsualAndLetsGoOfTheRest(t *testing.T) {
	var p pool[int64]
	assert.True(t, p.worthKeeping(512), "a small buffer, always")
	assert.False(t, p.worthKeeping(513))

	p.note(1000)
	assert.True(t, p.worthKeeping(2000), "room to spare from growing by doubling")
	assert.False(t, p.worthKeeping(2001))

	for _, size := range []int{1, 1000, 1, 1, 1000} { // a lull now and then
		p.note(size)
	}
	assert.True(t, p.worthKeeping(1280), "sizes that vary do not make it drop buffers")

	for range 60 {
		p.note(3)
	}
	assert.False(t, p.worthKeeping(1000), "after a rare large batch")
	assert.EqualValues(t, 3, p.usual.Load())
}

func TestTheLimitOfASmallBufferIsInBytes(t *testing.T) {
	var huge pool[[1 << 20]byte]
	assert.False(t, huge.worthKeeping(1))
	var nothing pool[struct{}]
	assert.True(t, nothing.worthKeeping(4096))
}

func TestF29_F30_WhatWasLentIsClearedWhateverBecameOfTheSlice(t *testing.T) {
	var p pool[int]
	loan := p.lend([]int{1, 2, 3, 4})
	lent := loan.items[:4:4]
	assert.Equal(t, []int{1, 2, 3, 4}, lent)
	short := lent[:2] // what a function may keep
	p.takeBack(loan)
	assert.Equal(t, []int{0, 0, 0, 0}, short[:4])
}

func TestALoanIsAsLongAsTheItemsWhateverWasLentBefore(t *testing.T) {
	var p pool[int]
	for _, items := range [][]int{{1, 2, 3, 4}, {5, 6}, {7, 8, 9, 10}} {
		loan := p.lend(items)
		assert.Equal(t, items, loan.items)
		p.takeBack(loan)
	}
}

func TestF37_ABatchThatGrewTooLargeGoesBackWithoutItsBuffer(t *testing.T) {
	var p pool[int64]
	b := &batch[int64]{items: make([]int64, 1, 1000)}
	p.put(b)
	assert.Zero(t, cap(b.items))
}

func TestABatchGoesBackBlank(t *testing.T) {
	var p pool[int]
	b := &batch[int]{items: []int{1, 2, 3}, weight: 7, reason: ReasonSize, queued: true, gone: true, fates: &fates{}}
	p.equip(b)
	b.pos, b.err, b.attempts, b.ends = 3, ErrGoexit, 2, []int{2}
	items, d := b.items, b.delivery
	p.put(b)
	assert.Equal(t, &batch[int]{items: items[:0]}, b)
	assert.Equal(t, &delivery{ends: d.ends[:0]}, d)
	assert.Equal(t, []int{0, 0, 0}, items)
}
