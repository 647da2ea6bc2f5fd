package slowflush

// The measurement: how long a producer who has a schedule is held up.

import "time"

// adder is what all variants are.
type adder interface {
	Add(item int)
	Close() error
}

// Waits adds the items 0 to n-1, one each interval, and returns for each how long its producer was
// held up: until its Add had returned, since the moment at which it should have been called.
//
// That moment is the point. A producer that stands still for 40 ms has one slow Add, and forty
// items that come late because of it. Who times the call alone sees one of them.
// That the system wakes a sleeper late is not counted: a producer who has slept for an item starts
// counting when it wakes.
func Waits(b adder, n int, interval time.Duration) []time.Duration {
	waits := make([]time.Duration, n)
	start := time.Now()
	for i := range waits {
		due := start.Add(time.Duration(i) * interval)
		if early := time.Until(due); early > 0 {
			time.Sleep(early)
			due = time.Now()
		}
		b.Add(i)
		waits[i] = time.Since(due)
	}
	return waits
}
