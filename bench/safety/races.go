package safety

// The probes of Close and of timers.

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// ofCaller is the outcome where Add is a send on a channel that the caller closes.
var ofCaller = Outcome{NotApplicable, "it reads from a channel that its caller closes, so he has to stop the senders first"}

// closeRace calls Close while others add.
func closeRace(c Queues) Outcome {
	if c.Fed {
		return ofCaller
	}
	rounds := 0
	for began := time.Now(); rounds < 200 && time.Since(began) < 3*time.Second; rounds++ {
		a := newAccount()
		q, err := c.New(contender.Settings{MaxSize: 10, MaxDelay: time.Millisecond, Workers: 2, Queue: 4}, a.sink)
		if err != nil {
			return failed("new: %v", err)
		}
		if wrong := raceOnce(q, a); wrong != "" {
			return failed("in round %d: %s", rounds+1, wrong)
		}
	}
	return passed("%d rounds", rounds)
}

// raceOnce closes q while 8 goroutines add to it, until they are refused or 100 ms have passed.
func raceOnce(q contender.Queue[int], a *account) string {
	var next atomic.Int64
	var over atomic.Bool
	var adders sync.WaitGroup
	for range 8 {
		adders.Go(func() {
			for !over.Load() {
				if a.add(q, int(next.Add(1))) != nil {
					return
				}
			}
		})
	}
	for next.Load() < 100 {
		runtime.Gosched()
	}
	stop := time.AfterFunc(100*time.Millisecond, func() { over.Store(true) })
	defer stop.Stop()
	err := q.Close(context.Background())
	adders.Wait()
	if err != nil {
		return "Close: " + err.Error()
	}
	return a.settled()
}

// timerRace closes at about the time when the timer fires.
func timerRace(c Queues) Outcome {
	const delay = 100 * time.Microsecond
	rounds := 0
	for began := time.Now(); rounds < 100_000 && time.Since(began) < 25*time.Second; rounds++ {
		a := newAccount()
		q, err := c.New(contender.Settings{MaxSize: 10, MaxDelay: delay, Workers: 1, Queue: 2}, a.sink)
		if err != nil {
			return failed("new: %v", err)
		}
		if err := a.add(q, 1); err != nil {
			return failed("add: %v", err)
		}
		pause := delay/2 + delay*time.Duration(rounds%100)/100
		for added := time.Now(); time.Since(added) < pause; {
			runtime.Gosched()
		}
		if err := q.Close(context.Background()); err != nil {
			return failed("close %d: %v", rounds+1, err)
		}
		if wrong := a.settled(); wrong != "" {
			return failed("close %d: %s", rounds+1, wrong)
		}
	}
	return passed("%d closes", rounds)
}

// staleTimer asks whether a batch sealed by size leaves a timer behind that cuts the next one.
func staleTimer(c Queues) Outcome {
	const delay, size, times = 40 * time.Millisecond, 10, 10
	if c.CannotDo("MaxSize") {
		return Outcome{NotApplicable, "it does not seal by size"}
	}
	early, soonest := 0, delay
	for range times {
		a := newAccount()
		q, err := c.New(contender.Settings{MaxSize: size, MaxDelay: delay, Workers: 1, Queue: 2}, a.sink)
		if err != nil {
			return failed("new: %v", err)
		}
		_ = a.add(q, 0)
		time.Sleep(delay / 2)
		for i := 1; i < size; i++ {
			_ = a.add(q, i)
		}
		added := time.Now()
		_ = a.add(q, size)
		if !a.arrivedWithin(size, time.Second) {
			return failed("the single item was not delivered within a second")
		}
		if waited := time.Since(added); waited < delay*9/10 {
			early++
			soonest = min(soonest, waited)
		}
		_ = q.Close(context.Background())
	}
	if early > 0 {
		return failed("%d of %d times the item was sent before its delay of %v was over, once after %v", early, times, delay, soonest.Round(time.Millisecond))
	}
	return passed("")
}
