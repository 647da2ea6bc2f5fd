package proptest

// Fuzz targets. Their seeds run as ordinary tests.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"pgregory.net/rapid"
)

// The flags of FuzzOptions.
const (
	flagEager = 1 << iota
	flagBisect
	flagKeep
	flagWeight
	flagNilBackoff
	flagNilWeigh
	flagWrongWeigh  // of another type
	flagWrongLetter // of another type
	flagNilLetter
	flagNilRetryIf
	flagNilContext
	flagNilLogger
	flagTwice // give the options twice, wrong ones first
	flagRetry
)

var noContext context.Context

func FuzzOptions(f *testing.F) {
	f.Add(500, int64(1e8), 10, 1, 2, 0, 1, int64(3e10), uint(0), uint(3))
	f.Add(0, int64(0), 0, 0, 0, 4, 0, int64(-1), uint(flagWeight|flagRetry), uint(0))
	f.Add(1, int64(1), 1, 65536, 1<<24, 3, 1, int64(0), uint(flagEager|flagWeight), uint(40))
	f.Add(-1, int64(-1), -1, 65537, 1<<24+1, 255, -1, int64(-1), uint(flagNilBackoff|flagRetry), uint(1))
	f.Add(1<<62, int64(1<<63-1), 1<<62, 3, 1, 1, 1<<62, int64(1<<63-1), uint(flagWeight|flagKeep|flagBisect|flagRetry), uint(9))
	f.Add(-1<<62, int64(-1<<63), -1<<62, -1<<62, -1<<62, -1, -1<<62, int64(-1<<63), uint(1<<14-1), uint(9))
	f.Add(2, int64(1e6), 3, 2, 1, 2, 2, int64(1e9), uint(flagWrongWeigh|flagWrongLetter|flagNilRetryIf), uint(9))
	f.Add(2, int64(1e6), 3, 2, 1, 2, 2, int64(1e9), uint(flagNilContext|flagNilLogger|flagNilLetter|flagNilWeigh), uint(9))
	f.Add(3, int64(1e6), 3, 2, 1, 3, 2, int64(1e9), uint(flagTwice|flagWeight|flagRetry), uint(60))
	f.Fuzz(func(t *testing.T, size int, delay int64, weight, workers, depth, overflow, attempts int, timeout int64, flags, items uint) {
		var ok bool
		has := func(flag uint) bool { return flags&flag != 0 }
		var wrong []string // the names of the options that must be refused
		opts := []batcher.Option{}
		add := func(name string, good bool, opt batcher.Option) {
			opts = append(opts, opt)
			if !good {
				wrong = append(wrong, name)
			}
		}
		add("WithMaxSize", size >= 1, batcher.WithMaxSize(size))
		add("WithMaxDelay", delay >= 1, batcher.WithMaxDelay(time.Duration(delay)))
		add("WithWorkers", workers >= 1 && workers <= 65536, batcher.WithWorkers(workers))
		add("WithQueueDepth", depth >= 1 && depth <= 1<<24, batcher.WithQueueDepth(depth))
		add("WithOverflow", uint8(overflow) <= 3, batcher.WithOverflow(batcher.Overflow(overflow)))
		add("WithFlushTimeout", timeout >= 0, batcher.WithFlushTimeout(time.Duration(timeout)))
		if has(flagRetry) {
			backoff := batcher.Backoff(func(int) time.Duration { return 0 })
			if has(flagNilBackoff) {
				backoff = nil
			}
			add("WithRetry", attempts == 1 || attempts > 1 && backoff != nil, batcher.WithRetry(attempts, backoff))
		}
		switch {
		case has(flagWrongWeigh):
			add("WithMaxWeight", false, batcher.WithMaxWeight(weight, func(string) int { return 1 }))
		case has(flagNilWeigh):
			add("WithMaxWeight", false, batcher.WithMaxWeight[Item](weight, nil))
		case has(flagWeight):
			add("WithMaxWeight", weight >= 1, batcher.WithMaxWeight(weight, func(it Item) int { return it.Weight }))
		}
		var dead int
		switch {
		case has(flagWrongLetter):
			add("WithDeadLetter", false, batcher.WithDeadLetter(func(context.Context, batcher.DeadLetter[string]) {}))
		case has(flagNilLetter):
			add("WithDeadLetter", false, batcher.WithDeadLetter[Item](nil))
		default:
			add("WithDeadLetter", true, batcher.WithDeadLetter(func(_ context.Context, l batcher.DeadLetter[Item]) { dead += len(l.Items) }))
		}
		for name, set := range map[string]struct {
			when bool
			opt  batcher.Option
		}{
			"WithRetryIf":     {has(flagNilRetryIf), batcher.WithRetryIf(nil)},
			"WithBaseContext": {has(flagNilContext), batcher.WithBaseContext(noContext)},
			"WithLogger":      {has(flagNilLogger), batcher.WithLogger(nil)},
		} {
			if set.when {
				add(name, false, set.opt)
			}
		}
		if has(flagEager) {
			opts = append(opts, batcher.WithEager())
		}
		if has(flagBisect) {
			opts = append(opts, batcher.WithBisect())
		}
		if has(flagKeep) {
			opts = append(opts, batcher.WithoutReuse())
		}
		if has(flagTwice) { // the last one counts
			opts = append([]batcher.Option{batcher.WithMaxSize(-3), batcher.WithWorkers(0), batcher.WithMaxDelay(-1)}, opts...)
		}
		flushed := make(chan int, 1<<16)
		b, err := batcher.New(func(_ context.Context, batch []Item) error {
			flushed <- len(batch)
			if len(batch) > size {
				t.Errorf("P3: a batch of %d with MaxSize %d", len(batch), size)
			}
			return nil
		}, opts...)
		if ok = len(wrong) == 0; ok != (err == nil) {
			t.Fatalf("P14: New returned %v, should refuse %v", err, wrong)
		}
		if !ok {
			if !errors.Is(err, batcher.ErrConfig) || b != nil {
				t.Fatalf("P14: New returned %v, %v", b, err)
			}
			for _, name := range wrong {
				if !strings.Contains(err.Error(), name) {
					t.Fatalf("P14: the error does not name %s: %v", name, err)
				}
			}
			return
		}
		conserve(t, b, int(items%500), flushed, &dead)
	})
}

// conserve puts items through a batcher and counts them.
func conserve(t *testing.T, b *batcher.Batcher[Item], items int, flushed chan int, dead *int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	accepted := 0
	for i := range items {
		var err error
		if it := (Item{ID: i + 1, Weight: i % 3}); i%2 == 0 {
			err = b.TryAdd(it)
		} else {
			err = b.Add(ctx, it)
		}
		switch {
		case err == nil:
			accepted++
		case errors.Is(err, batcher.ErrFull), errors.Is(err, batcher.ErrTooHeavy):
		default:
			t.Fatalf("item %d: %v", i, err)
		}
	}
	if items%2 == 0 {
		_ = b.Flush(ctx)
		if s := b.Stats(); s.Pending != 0 {
			t.Fatalf("P7: %+v after Flush", s)
		}
	}
	if err := b.Close(ctx); err != nil {
		t.Fatalf("P8: Close: %v", err)
	}
	close(flushed)
	got := 0
	for n := range flushed {
		got += n
	}
	s := b.Stats()
	if got+*dead != accepted || int(s.Added) != accepted || int(s.Flushed) != got || s.Pending != 0 {
		t.Fatalf("P1: %d accepted, %d flushed, %d dropped, %+v", accepted, got, *dead, s)
	}
}

// FuzzRetryClassification lets a flush function return a random error for each
// attempt, and compares every call and every fate with the naive classifier.
func FuzzRetryClassification(f *testing.F) {
	for kind := range byte(10) {
		f.Add([]byte{5, 3, 1, kind, 2, 7, kind, 1, 3, kind + 1, 4, 9, 8, 3, 0, 1, 2})
		f.Add([]byte{8, 2, 2, 8, 3, 0, kind, 1, 3, 5, 4, kind, 1, 1, 8, kind, 2, 1})
		f.Add([]byte{3, 1, 3, 4, 2, kind, 1, 8, 2, 0, 1, 1, kind, 6, 1, 0, kind})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &reader{data: data}
		cfg := Config{
			MaxSize: 1 + r.next(9), MaxDelay: time.Hour, Workers: 1, Depth: 1, Attempts: 1 + r.next(4),
			Backoff: 100 * time.Microsecond,
		}
		flags := r.next(4)
		cfg.RetryIf, cfg.Bisect = flags&1 != 0, flags&2 != 0
		plans := make(Plans)
		var op = Op{ID: 1, Kind: OpAddAll}
		for id := 1; id <= cfg.MaxSize; id++ {
			op.Items = append(op.Items, Item{ID: id})
		}
		for nth := range 6 {
			tree := r.tree(4, true)
			for id := range cfg.MaxSize {
				plans[id+1] = append(plans[id+1], Behaviour{Delay: 1, Work: 1, Tree: tree, Scribble: Scribble(nth % 4)})
			}
		}
		ma := &machine{}
		var problem string
		synctest.Test(t, func(*testing.T) { problem = ma.fixed(cfg, plans, op) })
		if problem != "" {
			t.Fatal(ma.report(fmt.Sprintf("%s\nplan: %v", problem, plans[1])))
		}
	})
}

// reader turns fuzz data into decisions; when they are used up all are 0.
type reader struct{ data []byte }

func (r *reader) next(n int) int {
	if len(r.data) == 0 {
		return 0
	}
	v := r.data[0]
	r.data = r.data[1:]
	return int(v) % n
}

// tree reads an error.
func (r *reader) tree(depth int, partial bool) *Tree {
	kinds := []TreeKind{TreeNil, TreePlain, TreeRefused, TreeWrap, TreeJoin, TreePermanent, TreeRetryAfter, TreeTooLarge, TreePartial, TreeNilPartial}
	kind := kinds[r.next(len(kinds))]
	if depth == 0 && kind > TreeRefused {
		kind = TreePlain
	}
	if !partial && kind >= TreePartial {
		kind = TreePlain
	}
	t := &Tree{Kind: kind}
	kids := 0
	switch kind {
	case TreeWrap, TreePermanent, TreeTooLarge:
		kids = 1
	case TreeRetryAfter:
		kids, t.Wait = 1, []time.Duration{-1, 0, 7 * time.Microsecond, time.Millisecond, time.Hour, 1<<63 - 1}[r.next(6)]
	case TreeJoin:
		kids = r.next(4)
	case TreePartial:
		kids, t.Wild = r.next(5), r.next(6) == 5
		for range kids {
			t.Keys = append(t.Keys, r.next(10)-1)
		}
	}
	for range kids {
		t.Kids = append(t.Kids, r.tree(depth-1, partial && (kind == TreeWrap || kind == TreePermanent || kind == TreeRetryAfter)))
	}
	return t
}

// fixed runs one call to its end, and then Close.
func (ma *machine) fixed(cfg Config, plans Plans, op Op) (problem string) {
	defer func() {
		switch p := recover().(type) {
		case nil:
			return
		case failure:
			problem = p.msg
		case modelError:
			problem = string(p)
		default:
			panic(p)
		}
		ma.w.abandon()
	}()
	ma.open(cfg)
	for id, list := range plans {
		ma.w.plans[id] = list
	}
	ma.nextOp = op.ID
	ma.start(op)
	for ma.goOn() {
	}
	ma.nextOp++
	ma.start(Op{ID: ma.nextOp, Kind: OpClose})
	ma.checks.final()
	return ""
}

// FuzzScripts lets the fuzzer look for scripts.
func FuzzScripts(f *testing.F) {
	for seed := range byte(5) {
		script := make([]byte, 16<<10)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(script)
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rapid.MakeFuzz(func(rt *rapid.T) {
			p := anyProfile()
			p.workers = []int{1, 1, 2, 3}
			runScript(t, rt, p)
		})(t, data)
	})
}
