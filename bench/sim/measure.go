package main

// The fifth step: what a run comes to, in figures.

import (
	"slices"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// figures are the summary of a run. Times and sizes are those of what was written. The last batch is
// left out of them if it was not full: it waited for items that came no more.
type figures struct {
	items   int
	span    time.Duration // in which items came, from 0 on
	batches int
	reasons map[batcher.Reason]int

	size    spans[int] // of batches
	toBegin spans[time.Duration]
	toEnd   spans[time.Duration]
	inLine  spans[time.Duration] // of those that waited for room and were let in

	waited, refused, dropped int // items

	busy     float64 // share of the workers' time in that span
	mostHeld int
	mostLine int
	depth    int // the QueueDepth that would have been enough, if there was always room
}

// spans are a distribution.
type spans[T int | time.Duration] struct {
	mean          float64
	p50, p99, max T
}

// distribution summarises values, which it sorts. Percentiles are values that occurred: the least
// one that is not below the given share.
func distribution[T int | time.Duration](values []T) spans[T] {
	if len(values) == 0 {
		return spans[T]{}
	}
	slices.Sort(values)
	var sum float64
	for _, v := range values {
		sum += float64(v)
	}
	at := func(percent int) T { return values[(len(values)*percent+99)/100-1] }
	return spans[T]{sum / float64(len(values)), at(50), at(99), values[len(values)-1]}
}

// measure summarises a run in which items came for span.
func (s *simulation) measure(span time.Duration) figures {
	f := figures{
		items:    len(s.items),
		span:     span,
		reasons:  map[batcher.Reason]int{},
		mostHeld: s.mostHeld,
		mostLine: s.mostLine,
		depth:    max(1, s.most-s.workers),
	}
	var partial *batch
	if n := len(s.batches) - 1; n > 0 && s.batches[n].size < s.size {
		partial = s.batches[n]
	}
	s.measureBatches(&f, partial)
	s.measureItems(&f, partial)
	return f
}

// measureBatches summarises the batches that were not dropped, but for one.
func (s *simulation) measureBatches(f *figures, but *batch) {
	var sizes []int
	var busy time.Duration
	for _, b := range s.batches {
		if b.dropped {
			f.dropped += b.size
			continue
		}
		if b == but {
			continue
		}
		f.reasons[b.reason]++
		sizes = append(sizes, b.size)
		busy += max(0, min(b.end, f.span)-b.begin)
	}
	f.batches, f.size = len(sizes), distribution(sizes)
	if f.span > 0 {
		f.busy = float64(busy) / float64(f.span) / float64(s.workers)
	}
}

// measureItems summarises the items, but for the times of one batch.
func (s *simulation) measureItems(f *figures, but *batch) {
	toBegin, toEnd := make([]time.Duration, 0, len(s.items)), make([]time.Duration, 0, len(s.items))
	var inLine []time.Duration
	for _, it := range s.items {
		switch {
		case it.batch == refused:
			f.refused++
			continue
		case it.batch == dropped:
			f.dropped++
			continue
		}
		b := s.batches[it.batch]
		if it.in > it.at {
			inLine = append(inLine, it.in-it.at)
		}
		if !b.dropped && b != but {
			toBegin = append(toBegin, b.begin-it.at)
			toEnd = append(toEnd, b.end-it.at)
		}
	}
	f.waited = len(inLine)
	f.toBegin, f.toEnd, f.inLine = distribution(toBegin), distribution(toEnd), distribution(inLine)
}

// rate is how many items came per second.
func (f figures) rate() float64 {
	if f.span == 0 {
		return float64(f.items)
	}
	return float64(f.items) / f.span.Seconds()
}

// calls is how many batches were written per second.
func (f figures) calls() float64 { return f.rate() * float64(f.batches) / float64(f.items) }

// lost are the items that were not written.
func (f figures) lost() int { return f.refused + f.dropped }

// share is n in parts of all items.
func (f figures) share(n int) float64 { return float64(n) / float64(f.items) }
