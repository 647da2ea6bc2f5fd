package safety

// What was accepted, against what has arrived.

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// account is a sink that remembers how often each item came.
type account struct {
	mu       sync.Mutex // guards the fields below
	accepted map[int]bool
	arrived  map[int]int
	news     chan struct{} // closed and made anew with each batch
}

func newAccount() *account {
	return &account{accepted: map[int]bool{}, arrived: map[int]int{}, news: make(chan struct{})}
}

// add hands an item over, and enters it if it was accepted.
func (a *account) add(q contender.Queue[int], item int) error {
	err := q.Add(context.Background(), item)
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.accepted[item] = true
	}
	return err
}

func (a *account) sink(_ context.Context, batch []int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, item := range batch {
		a.arrived[item]++
	}
	close(a.news)
	a.news = make(chan struct{})
	return nil
}

// arrivedWithin waits until an item has arrived.
func (a *account) arrivedWithin(item int, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		a.mu.Lock()
		there, news := a.arrived[item] > 0, a.news
		a.mu.Unlock()
		if there {
			return true
		}
		select {
		case <-news:
		case <-timer.C:
			return false
		}
	}
}

// settled waits until all that was accepted has arrived, for three seconds at most: some libraries' Close
// does not wait. It returns what is wrong then, "" if nothing is.
func (a *account) settled() string {
	deadline := time.Now().Add(3 * time.Second)
	for {
		lost, doubled, alien, news := a.compare()
		if lost+doubled+alien == 0 || time.Now().After(deadline) {
			if lost+doubled+alien == 0 {
				return ""
			}
			return fmt.Sprintf("lost %d, doubled %d, delivered %d that were refused", lost, doubled, alien)
		}
		select {
		case <-news:
		case <-time.After(time.Until(deadline)):
		}
	}
}

func (a *account) compare() (lost, doubled, alien int, news chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for item := range a.accepted {
		if a.arrived[item] == 0 {
			lost++
		}
	}
	for item, n := range a.arrived {
		switch {
		case !a.accepted[item]:
			alien++
		case n > 1:
			doubled++
		}
	}
	return lost, doubled, alien, a.news
}
