package prombatcher

// The options of New.

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Option changes a collector. See [New].
type Option func(*config) error

type config struct {
	durations, sizes []float64
	nativeFactor     float64
}

// defaults has buckets that grow by about a factor of two: each bound is a series for each batcher,
// and finer ones would not make the alerts better.
func defaults() config {
	return config{
		durations: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		sizes:     []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000},
	}
}

// WithDurationBuckets sets the upper bounds of the buckets of both histograms of durations, in
// seconds, ascending and positive. The default is 0.0005 to 60 in 16 steps. Have a bound at the
// MaxDelay of your batchers, and one above it, or BatcherFlushSlow in alerts.yml is inexact:
// quantiles are interpolated within a bucket, and are never above the last bound.
func WithDurationBuckets(seconds ...float64) Option {
	return func(c *config) error {
		c.durations = slices.Clone(seconds)
		return checkBuckets("WithDurationBuckets", seconds)
	}
}

// WithSizeBuckets sets the upper bounds of the buckets of batcher_batch_size_items, in items,
// ascending and positive. The default is 1 to 10 000 in 13 steps.
func WithSizeBuckets(items ...float64) Option {
	return func(c *config) error {
		c.sizes = slices.Clone(items)
		return checkBuckets("WithSizeBuckets", items)
	}
}

func checkBuckets(option string, bounds []float64) error {
	if len(bounds) == 0 {
		return fmt.Errorf("%s: no buckets", option)
	}
	last := 0.0
	for _, b := range bounds {
		if !(b > last) || math.IsInf(b, 1) { // NaN as well
			return fmt.Errorf("%s%v: the bounds must be positive, finite, and ascend", option, bounds)
		}
		last = b
	}
	return nil
}

// WithNativeHistograms adds native histograms to the classic ones, for Prometheus servers that
// scrape them. Each bucket is at most factor times as wide as the one before, 1.1 say. Buckets
// appear as they are needed, at most 100 in a histogram. The factor must be above 1, and at most
// 2. By default there are none. See "Native histograms" in the package documentation for what a
// server must be told.
func WithNativeHistograms(factor float64) Option {
	return func(c *config) error {
		c.nativeFactor = factor
		if !(factor > 1 && factor <= 2) {
			return fmt.Errorf("WithNativeHistograms(%v): the factor must be above 1, and at most 2", factor)
		}
		return nil
	}
}

// apply applies opts to the defaults. The error names everything that is wrong.
func apply(opts []Option) (config, error) {
	c := defaults()
	var faults []error
	for _, o := range opts {
		if o == nil {
			faults = append(faults, errors.New("an option is nil"))
			continue
		}
		faults = append(faults, o(&c))
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("prombatcher: %w", err)
	}
	return c, nil
}
