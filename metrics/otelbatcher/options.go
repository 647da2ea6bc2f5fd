package otelbatcher

// The options of New.

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Option changes what [New] makes.
type Option func(*config) error

type config struct {
	meters  metric.MeterProvider
	tracers trace.TracerProvider // nil: no spans
	key     func(any) string     // nil: keys are not shown
}

// WithMeterProvider sets where the metrics go. The default is the global provider,
// [otel.GetMeterProvider]; for none at all, use that of go.opentelemetry.io/otel/metric/noop.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) error {
		if isNil(p) {
			return errors.New("WithMeterProvider(nil)")
		}
		c.meters = p
		return nil
	}
}

// WithTracerProvider makes a span for each attempt to flush. Without it there are none.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) error {
		if isNil(p) {
			return errors.New("WithTracerProvider(nil)")
		}
		c.tracers = p
		return nil
	}
}

// WithKey shows the key of a batch of a [batcher.Sharded] in its spans: the attribute batcher.key
// is what format returns for it. By default keys are not shown, since they may be personal data.
// format is called on the worker's goroutine, for recorded spans only. If it panics, the attribute
// says so; the span and the attempt go on. [runtime.Goexit] in it fails the attempt.
func WithKey(format func(key any) string) Option {
	return func(c *config) error {
		if format == nil {
			return errors.New("WithKey(nil)")
		}
		c.key = format
		return nil
	}
}

// apply applies opts to the defaults. The error names everything that is wrong.
func apply(opts []Option) (config, error) {
	c := config{meters: otel.GetMeterProvider()}
	var faults []error
	for _, o := range opts {
		if o == nil {
			faults = append(faults, errors.New("an option is nil"))
			continue
		}
		faults = append(faults, o(&c))
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("otelbatcher: %w", err)
	}
	return c, nil
}
