package main

// The fourth step: what happens when there is no room.

import "github.com/seed-4c1eaf8a/batcher"

// overflows does with an item what the policy says. There is no filling batch.
func (s *simulation) overflows(i int) {
	switch s.overflow {
	case batcher.Reject:
		s.items[i].batch = refused
	case batcher.DropNewest:
		s.items[i].batch = dropped
	case batcher.DropOldest:
		s.dropOldest()
		s.accept(i)
	default:
		s.line.push(i)
		s.mostLine = max(s.mostLine, s.line.len())
	}
}

// dropOldest drops the batch that would be taken next. There is one: all workers are busy, and so is
// the whole queue.
func (s *simulation) dropOldest() {
	b := s.batches[s.queue.pop()]
	b.dropped = true
	s.held -= b.size
}

// admit lets in those in line, as far as there is room. It fills what it opens before a worker
// can take it, as the library does, which holds its lock for that.
func (s *simulation) admit() {
	for s.line.len() > 0 && (s.open != none || s.room()) {
		s.accept(s.line.pop())
	}
}

// turnAway is for the first in line, whose context has ended.
func (s *simulation) turnAway() {
	i := s.line.pop()
	s.items[i].in, s.items[i].batch = s.now, refused
}

// fifo is a queue of numbers.
type fifo struct {
	all  []int
	head int
}

func (f *fifo) len() int   { return len(f.all) - f.head }
func (f *fifo) front() int { return f.all[f.head] }
func (f *fifo) push(n int) { f.all = append(f.all, n) }

// pop moves what is left to the front now and then, when that is less than what has gone.
func (f *fifo) pop() int {
	n := f.all[f.head]
	f.head++
	if f.head > 1024 && f.head > f.len() {
		f.all, f.head = append(f.all[:0], f.all[f.head:]...), 0
	}
	return n
}
