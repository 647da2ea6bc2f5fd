package main

// Two contenders that need no library.

import (
	"context"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// plain is a mutex, a slice and a timer. It calls the sink with the lock held, on the goroutine of
// a producer or of the timer.
type plain[T any] struct {
	sink contender.Sink[T]
	s    contender.Settings
	lose int // of each batch, so many are lost

	mu    sync.Mutex // guards the fields below
	batch []T
	timer *time.Timer // of the batch
}

func (p *plain[T]) Add(ctx context.Context, item T) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.batch = append(p.batch, item); len(p.batch) == 1 {
		p.timer = time.AfterFunc(p.s.MaxDelay, p.due)
	}
	if len(p.batch) >= p.s.MaxSize {
		return p.flushLocked(ctx)
	}
	return nil
}

func (p *plain[T]) Close(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flushLocked(ctx)
}

func (p *plain[T]) due() {
	_ = p.Close(context.Background())
}

func (p *plain[T]) flushLocked(ctx context.Context) error {
	batch := p.batch
	p.batch = nil
	if len(batch) == 0 {
		return nil
	}
	p.timer.Stop()
	return p.sink(ctx, batch[:max(0, len(batch)-p.lose)])
}

// fake is a contender that makes plain queues.
func fake[T any](name string, kind contender.Kind, lose int) contender.Contender[T] {
	return contender.Contender[T]{
		Name: name, Kind: kind,
		New: func(s contender.Settings, sink contender.Sink[T]) (contender.Queue[T], error) {
			return &plain[T]{sink: sink, s: s, lose: lose}, nil
		},
	}
}

// twoFakes is a lab with one contender that is as it should be, and one that loses items.
func twoFakes() lab {
	return lab{
		int64s:   pair[int64](),
		structs:  pair[item64](),
		pointers: pair[*item64](),
	}
}

func pair[T any]() []contender.Contender[T] {
	ours, leaky := fake[T]("batcher", contender.Ours, 0), fake[T]("leaky", contender.Library, 1)
	leaky.Richer = "it forgets"
	leaky.Unable = []string{"MaxDelay: there is no timer"}
	return []contender.Contender[T]{ours, leaky}
}
