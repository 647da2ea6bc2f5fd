package contender

// By hand: the loop of the textbooks, and a channel without any batching logic around it.

import (
	"context"
	"time"
)

func (p pipe[T]) Add(ctx context.Context, item T) error {
	select {
	case p.in <- item:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p pipe[T]) Close(ctx context.Context) error {
	close(p.in)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

const (
	noQueue    = "Queue: a channel of MaxSize items is all that waits"
	oneWorker  = "Workers: one"
	callTicker = "MaxDelay: from a ticker, not from the first item"
)

func channelLoop[T any]() Contender[T] {
	return Contender[T]{
		Name: "channel-loop", Kind: ByHand, AddContext: true,
		Unable: []string{callTicker, oneWorker, noQueue},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			p := newPipe[T](s)
			go p.loop(s, sink)
			return p, nil
		},
	}
}

func (p pipe[T]) loop(s Settings, sink Sink[T]) {
	defer close(p.done)
	ticker := time.NewTicker(s.MaxDelay)
	defer ticker.Stop()
	batch := make([]T, 0, s.MaxSize)
	flush := func() {
		if len(batch) > 0 {
			_ = sink(context.Background(), batch)
			batch = batch[:0]
		}
	}
	defer flush()
	for {
		select {
		case item, ok := <-p.in:
			if !ok {
				return
			}
			if batch = append(batch, item); len(batch) == s.MaxSize {
				flush()
			}
		case <-ticker.C:
			flush()
		}
	}
}

// channelLimit is what a channel costs by itself: a batch is full, or the channel is closed.
func channelLimit[T any]() Contender[T] {
	return Contender[T]{
		Name: "channel-send", Kind: Limit,
		Unable: []string{"MaxDelay: none", oneWorker, noQueue},
		New: func(s Settings, sink Sink[T]) (Queue[T], error) {
			p := newPipe[T](s)
			go func() {
				defer close(p.done)
				batch := make([]T, 0, s.MaxSize)
				for item := range p.in {
					if batch = append(batch, item); len(batch) == s.MaxSize {
						_ = sink(context.Background(), batch)
						batch = batch[:0]
					}
				}
				if len(batch) > 0 {
					_ = sink(context.Background(), batch)
				}
			}()
			return p, nil
		},
	}
}
