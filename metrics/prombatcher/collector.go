package prombatcher

// The collector: what Prometheus sees of all batchers.

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-4c1eaf8a/batcher"
)

// The errors of Watch and WatchAs. A batcher that is refused gets no hooks and no series.
var (
	// ErrNoBatcher is returned for a nil batcher.
	ErrNoBatcher = errors.New("prombatcher: no batcher to watch")

	// ErrNoName is returned for a batcher without a name: to Prometheus, an empty label is no
	// label, so several such batchers could not be told apart. Use [batcher.WithName], or WatchAs.
	ErrNoName = errors.New("prombatcher: the batcher has no name")

	// ErrNameTaken is returned if the collector watches another batcher, or the same one, under
	// that name already: duplicate series would fail the scrape.
	ErrNameTaken = errors.New("prombatcher: the name is taken")
)

// Collector is a [prometheus.Collector] for any number of batchers, which may come and go while it
// is registered. Make one with [New]; all methods may be called from any goroutine. It may be
// registered in several registries.
type Collector struct {
	config config
	form   *meters // describes the meters of all batchers; never fed

	mu      sync.Mutex          // guards the field below; not held during a batcher's Stats
	watched map[string]*watched // by name
}

// watched is one batcher.
type watched struct {
	name    string
	batcher batcher.Observed
	meters  *meters
}

// New returns a collector that watches nothing yet. The error names every option that is wrong.
func New(opts ...Option) (*Collector, error) {
	c, err := apply(opts)
	if err != nil {
		return nil, err
	}
	return &Collector{config: c, form: newMeters(c), watched: make(map[string]*watched)}, nil
}

// Watch exposes b under its name, see [batcher.WithName]. It returns [ErrNoName] if that is empty,
// and [ErrNameTaken] if it is in use. Bytes of the name that are not UTF-8, and U+FFFD, the
// replacement character, become question marks.
//
// The series are there until stop is called, which frees the name and may be called any number of
// times, from any goroutine. Call it after Close in a process that makes batchers again and again,
// or the series of all of them stay for ever.
func (c *Collector) Watch(b batcher.Observed) (stop func(), err error) {
	if isNil(b) {
		return nil, ErrNoBatcher
	}
	return c.WatchAs(b.Config().Name, b)
}

// WatchAs exposes b under a name of your choice. See [Collector.Watch]. The same batcher may be
// watched under several names; sums over all names then count it several times.
func (c *Collector) WatchAs(name string, b batcher.Observed) (stop func(), err error) {
	if isNil(b) {
		return nil, ErrNoBatcher
	}
	if name == "" {
		return nil, fmt.Errorf("%w: give it one by batcher.WithName or WatchAs", ErrNoName)
	}
	name = shown(name)
	w := &watched{name, b, newMeters(c.config)}
	w.meters.begin(name)
	if !c.enter(w) {
		return nil, fmt.Errorf("%w: %q; give each batcher its own by batcher.WithName or WatchAs, "+
			"and stop the one that has it if that is over", ErrNameTaken, name)
	}
	remove := b.Observe(w.meters.hooks())
	return func() {
		remove()
		c.leave(w)
	}, nil
}

// shown returns name as a label that can be queried: PromQL refuses a query that contains U+FFFD,
// which Grafana would send when such a batcher is selected.
func shown(name string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(name, "?"), "\uFFFD", "?")
}

// isNil reports whether b is nil, or a nil pointer, as New returns it together with an error.
func isNil(b batcher.Observed) bool {
	if b == nil {
		return true
	}
	v := reflect.ValueOf(b)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// enter reports false if the name is taken.
func (c *Collector) enter(w *watched) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched[w.name] != nil {
		return false
	}
	c.watched[w.name] = w
	return true
}

// leave frees the name, unless it belongs to another one by now.
func (c *Collector) leave(w *watched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched[w.name] == w {
		delete(c.watched, w.name)
	}
}

// all returns those that are watched now.
func (c *Collector) all() []*watched {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*watched, 0, len(c.watched))
	for _, w := range c.watched {
		list = append(list, w)
	}
	return list
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, f := range figures {
		descs <- f.desc
	}
	descs <- batches
	c.form.describe(descs)
}

// Collect implements [prometheus.Collector]. It asks each batcher once, so that its figures belong
// together.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	for _, w := range c.all() {
		now := snapshot{w.batcher.Stats(), w.batcher.Config()}
		for _, f := range figures {
			metrics <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(&now), w.name)
		}
		for reason := batcher.ReasonSize; int(reason) < len(now.stats.Batches); reason++ {
			metrics <- prometheus.MustNewConstMetric(batches, prometheus.CounterValue,
				float64(now.stats.Batches[reason]), w.name, reason.String())
		}
		w.meters.collect(metrics)
	}
}
