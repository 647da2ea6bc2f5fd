package safety

// The probes of a sink that fails, and of calls that ought to be refused.

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

var errOutage = errors.New("the sink is down")

// told counts the failures that somebody hears of.
type told struct{ n atomic.Int64 }

func (t *told) report(error) { t.n.Add(1) }

// settings are those of the probes with one item to a batch.
func (t *told) settings(attempts int) contender.Settings {
	return contender.Settings{MaxSize: 1, MaxDelay: 5 * time.Millisecond, Workers: 1, Queue: 4, Attempts: attempts, Report: t.report}
}

// panicking has the sink panic once.
func panicking(c Queues) Outcome {
	a, t := newAccount(), new(told)
	var calls atomic.Int64
	q, err := c.New(t.settings(1), func(ctx context.Context, batch []int) error {
		if calls.Add(1) == 1 {
			panic("the sink panics")
		}
		return a.sink(ctx, batch)
	})
	if err != nil {
		return failed("new: %v", err)
	}
	_ = a.add(q, 1)
	time.Sleep(50 * time.Millisecond) // so that it is a batch by itself
	_ = a.add(q, 2)
	if !a.arrivedWithin(2, 10*time.Second) {
		return failed("nothing was delivered after the panic")
	}
	_ = q.Close(context.Background())
	if t.n.Load() == 0 {
		return failed("the batch is lost, and nobody is told")
	}
	return passed("%s is told", c.Reports)
}

// outage has the sink fail three times.
func outage(c Queues) Outcome {
	a, t := newAccount(), new(told)
	var calls atomic.Int64
	q, err := c.New(t.settings(5), func(ctx context.Context, batch []int) error {
		if calls.Add(1) <= 3 {
			return errOutage
		}
		return a.sink(ctx, batch)
	})
	if err != nil {
		return failed("new: %v", err)
	}
	for i := range 10 {
		_ = a.add(q, i)
		time.Sleep(10 * time.Millisecond)
	}
	_ = q.Close(context.Background())
	wrong := a.settled()
	switch {
	case wrong == "":
		return passed("tried again")
	case t.n.Load() > 0:
		return failed("not tried again: %s of 10; told: %s", wrong, c.Reports)
	}
	return failed("not tried again: %s of 10; nobody is told", wrong)
}

// afterClose adds to a queue that is closed.
func afterClose(c Queues) Outcome {
	if c.Fed {
		return ofCaller
	}
	a := newAccount()
	q, err := c.New(new(told).settings(1), a.sink)
	if err != nil {
		return failed("new: %v", err)
	}
	_ = a.add(q, 1)
	_ = q.Close(context.Background())
	if err := q.Add(context.Background(), 2); err == nil {
		if a.arrivedWithin(2, time.Second) {
			return failed("accepted, and delivered")
		}
		return failed("accepted, and lost")
	}
	return passed("")
}

// cancelled adds with a context that has ended.
func cancelled(c Queues) Outcome {
	if !c.AddContext {
		return Outcome{NotApplicable, "its Add has no context"}
	}
	a := newAccount()
	q, err := c.New(contender.Settings{MaxSize: 100, MaxDelay: time.Millisecond, Workers: 1, Queue: 4}, a.sink)
	if err != nil {
		return failed("new: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	accepted := 0
	for i := range 1000 {
		if q.Add(ctx, i) == nil {
			accepted++
		}
	}
	_ = q.Close(context.Background())
	if accepted > 0 {
		return failed("%d of 1000 were accepted", accepted)
	}
	return passed("")
}

// hungSink closes while the sink hangs.
func hungSink(c Queues) Outcome {
	if !c.CloseContext {
		return failed("its Close takes no context: it waits for ever")
	}
	begun := make(chan struct{}, 100)
	q, err := c.New(new(told).settings(1), func(context.Context, []int) error {
		begun <- struct{}{}
		select {}
	})
	if err != nil {
		return failed("new: %v", err)
	}
	_ = q.Add(context.Background(), 1)
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- q.Close(ctx) }()
	select {
	case err := <-closed:
		if err == nil {
			return failed("Close says that all is well")
		}
		return passed("")
	case <-time.After(5 * time.Second):
		return failed("Close does not return")
	}
}

// bound adds while the sink hangs.
func bound(c Queues) Outcome {
	if c.Callers {
		return Outcome{NotApplicable, "an item is held by a caller that waits for its result, so there are as many as callers"}
	}
	const most = 200_000
	var added atomic.Int64
	q, err := c.New(contender.Settings{MaxSize: 100, MaxDelay: time.Millisecond, Workers: 1, Queue: 4},
		func(context.Context, []int) error { select {} })
	if err != nil {
		return failed("new: %v", err)
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		for added.Load() < most && q.Add(context.Background(), 1) == nil {
			added.Add(1)
		}
	}()
	for last := int64(-1); ; {
		select {
		case <-all:
			return failed("it took all %d", added.Load())
		case <-time.After(500 * time.Millisecond):
			if now := added.Load(); now == last {
				return passed("%d items were held, with MaxSize 100, 1 worker and a queue of 4", now)
			} else {
				last = now
			}
		}
	}
}
