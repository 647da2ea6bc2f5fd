package otelbatcher

// Which batchers are watched, and under which names.

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-4c1eaf8a/batcher"
)

// scope is the name of the instrumentation scope, of both the meter and the tracer.
const scope = "github.com/seed-4c1eaf8a/batcher/metrics/otelbatcher"

// The errors of Watch and WatchAs. A batcher that is refused gets no hooks and no series.
var (
	// ErrNoBatcher is returned for a nil batcher.
	ErrNoBatcher = errors.New("otelbatcher: no batcher to watch")

	// ErrNoName is returned for a batcher without a name: several such could not be told apart. Use
	// [batcher.WithName], or WatchAs.
	ErrNoName = errors.New("otelbatcher: the batcher has no name")

	// ErrNameTaken is returned if another batcher, or the same one, is watched under that name
	// already: their figures would be added up, or replace each other.
	ErrNameTaken = errors.New("otelbatcher: the name is taken")

	// ErrClosed is returned after Close.
	ErrClosed = errors.New("otelbatcher: closed")
)

// Telemetry watches any number of batchers, which may come and go. Make only one with [New] for
// each meter provider: it does not know which names another one has in use. All methods may be
// called from any goroutine.
type Telemetry struct {
	config      config
	instruments instruments
	tracer      trace.Tracer // nil: no spans
	callback    metric.Registration

	mu      sync.Mutex          // guards the fields below; not held during a batcher's Stats
	watched map[string]*watched // by name; nil after Close
}

// watched is one batcher.
type watched struct {
	name    string
	batcher batcher.Observed
	attrs   attribute.Set
	reasons [len(batcher.BatchCounts{})]attribute.Set // by reason
	classes map[string]*class
	remove  func() // the hooks
}

// New creates the instruments, and registers a callback that reads the batchers. Its error names
// every option that is wrong, or wraps that of the meter provider.
func New(opts ...Option) (*Telemetry, error) {
	c, err := apply(opts)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{config: c, watched: make(map[string]*watched)}
	if c.tracers != nil {
		t.tracer = c.tracers.Tracer(scope)
	}
	meter := c.meters.Meter(scope)
	if err := t.instruments.register(meter); err != nil {
		return nil, fmt.Errorf("otelbatcher: %w", err)
	}
	t.callback, err = meter.RegisterCallback(t.observe, t.instruments.observed...)
	if err != nil {
		return nil, fmt.Errorf("otelbatcher: %w", err)
	}
	return t, nil
}

// Close stops watching all batchers, and unregisters the callback. It does not shut the providers
// down. It may be called any number of times.
func (t *Telemetry) Close() error {
	t.mu.Lock()
	all := t.watched
	t.watched = nil
	t.mu.Unlock()
	for _, w := range all {
		w.remove()
	}
	if err := t.callback.Unregister(); err != nil {
		return fmt.Errorf("otelbatcher: %w", err)
	}
	return nil
}

// Watch exposes b under its name, see [batcher.WithName]. It returns [ErrNoName] if that is empty,
// [ErrNameTaken] if it is in use, and [ErrClosed] after Close. The name is cut after 4096 bytes;
// bytes that are not UTF-8, and U+FFFD, the replacement character, become question marks.
//
// stop ends that and frees the name. It may be called any number of times, from any goroutine. The
// SDK may go on to report what its histograms have so far. An attempt that is under way when stop
// is called still ends its span.
//
// The counters of the next batcher with that name begin at 0. Prometheus takes this for a restart;
// a reader with delta temporality gets one wrong difference, which may be negative, unless it has
// collected in between: the SDK knows series by their attributes only. How many names
// a process can use is said under "Metrics" in the package documentation.
func (t *Telemetry) Watch(b batcher.Observed) (stop func(), err error) {
	if isNil(b) {
		return nil, ErrNoBatcher
	}
	return t.WatchAs(b.Config().Name, b)
}

// WatchAs exposes b under a name of your choice. See [Telemetry.Watch].
func (t *Telemetry) WatchAs(name string, b batcher.Observed) (stop func(), err error) {
	if isNil(b) {
		return nil, ErrNoBatcher
	}
	if name == "" {
		return nil, fmt.Errorf("%w: give it one by batcher.WithName or WatchAs", ErrNoName)
	}
	name = strings.ReplaceAll(text(name), "\uFFFD", "?") // PromQL refuses a query with U+FFFD in it
	w := &watched{name: name, batcher: b, attrs: attribute.NewSet(attribute.String("name", name)),
		classes: newClasses(name)}
	for reason := range w.reasons {
		w.reasons[reason] = attribute.NewSet(attribute.String("name", name),
			attribute.String("reason", batcher.Reason(reason).String()))
	}
	if err := t.enter(w); err != nil {
		return nil, err
	}
	return func() { t.leave(w) }, nil
}

// isNil reports whether v is nil, or a nil pointer: a batcher as New returns it together with an
// error, or a provider that has not been set up.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	p := reflect.ValueOf(v)
	return p.Kind() == reflect.Pointer && p.IsNil()
}

// enter adds w, and its hooks. The lock is held for both, so that Close finds either both or
// neither.
func (t *Telemetry) enter(w *watched) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watched == nil {
		return ErrClosed
	}
	if t.watched[w.name] != nil {
		return fmt.Errorf("%w: %q; give each batcher its own by batcher.WithName or WatchAs, "+
			"and stop the one that has it if that is over", ErrNameTaken, w.name)
	}
	t.watched[w.name] = w
	w.remove = w.batcher.Observe(t.hooks(w))
	return nil
}

// leave frees the name, unless it belongs to another one by now.
func (t *Telemetry) leave(w *watched) {
	w.remove()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watched[w.name] == w {
		delete(t.watched, w.name)
	}
}

// hooks returns the hooks for metrics and spans. FlushEnd records the duration first, while the
// span is still open, so that an exemplar can refer to it.
func (t *Telemetry) hooks(w *watched) batcher.Hooks {
	metrics := newRecorder(&t.instruments, w)
	if t.tracer == nil {
		return batcher.Hooks{FlushStart: metrics.flushStart, FlushEnd: metrics.flushEnd}
	}
	spans := newSpanner(t.tracer, w.name, t.config.key)
	return batcher.Hooks{
		FlushStart: func(ctx context.Context, info batcher.Info) context.Context {
			return spans.flushStart(metrics.flushStart(ctx, info), info)
		},
		FlushEnd: func(ctx context.Context, info batcher.Info, result batcher.FlushResult) {
			defer spans.flushEnd(ctx, result)
			metrics.flushEnd(ctx, info, result)
		},
	}
}
