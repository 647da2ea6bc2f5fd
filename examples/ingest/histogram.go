package main

// Distributions that are exact to 2 %, for the report.

import (
	"math"
	"sort"
	"sync/atomic"
)

// histogram counts values between fixed bounds. It is safe for concurrent use.
type histogram struct {
	bounds []float64       // ascending; a value belongs to the first bound that is not below it
	counts []atomic.Uint64 // one more than bounds, for the values above all
	sum    atomic.Uint64   // the bits of a float64
	most   atomic.Uint64   // the bits of a float64; as integers they compare alike, being positive
}

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// spread returns n+1 bounds from least on, each factor times the one before.
func spread(least, factor float64, n int) []float64 {
	bounds := make([]float64, n+1)
	for i := range bounds {
		bounds[i] = least * math.Pow(factor, float64(i))
	}
	return bounds
}

// newLatencies returns a histogram of seconds, from 1 us to some minutes, that is
// exact to 2 %.
func newLatencies() *histogram { return newHistogram(spread(1e-6, 1.02, 1000)) }

// observe adds a value, which must not be negative.
func (h *histogram) observe(v float64) {
	h.counts[sort.SearchFloat64s(h.bounds, v)].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			break
		}
	}
	for bits := math.Float64bits(v); ; {
		old := h.most.Load()
		if bits <= old || h.most.CompareAndSwap(old, bits) {
			return
		}
	}
}

func (h *histogram) count() (n uint64) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

func (h *histogram) total() float64 { return math.Float64frombits(h.sum.Load()) }
func (h *histogram) max() float64   { return math.Float64frombits(h.most.Load()) }

// quantile returns a bound that the share q of the values does not exceed, and never
// more than the greatest value. Without values it is 0.
func (h *histogram) quantile(q float64) float64 {
	rank := uint64(math.Ceil(q * float64(h.count())))
	var seen uint64
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= rank && seen > 0 {
			if i == len(h.bounds) {
				break
			}
			return min(h.bounds[i], h.max())
		}
	}
	return h.max()
}

// summary is what is told of a histogram at the end.
type summary struct {
	count               uint64
	mean, p50, p99, max float64
}

func (h *histogram) summary() summary {
	s := summary{count: h.count(), p50: h.quantile(.5), p99: h.quantile(.99), max: h.max()}
	if s.count > 0 {
		s.mean = h.total() / float64(s.count)
	}
	return s
}
