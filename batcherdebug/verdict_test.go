package batcherdebug

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// at is the moment of the verdicts.
var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// ago is a moment before it.
func ago(d time.Duration) time.Time { return at.Add(-d) }

func TestVerdicts(t *testing.T) {
	config := Config{MaxSize: 100, MaxDelay: 2, Workers: 2, QueueDepth: 4, MaxHeld: 600, FlushTimeout: 30}
	failure := []Failure{{Time: ago(1500 * time.Millisecond), Class: "timeout", Text: "too slow"}}
	old := []Failure{{Time: ago(time.Hour), Class: "other", Text: "down"}}
	const failed = "the last failure was 1.5s ago (timeout): too slow"
	for name, c := range map[string]struct {
		b       Batcher
		f       facts
		state   State
		verdict string
	}{
		"new":  {Batcher{}, facts{}, Idle, "nothing is held; nothing has been flushed yet"},
		"idle": {Batcher{}, facts{lastOK: ago(90 * time.Second)}, Idle, "nothing is held; the last flush ended 1m30s ago"},
		"idle since before the page": {Batcher{Stats: Stats{Flushed: 9}}, facts{}, Idle,
			"nothing is held; no flush has been seen since this page was made"},
		"first item": {Batcher{Stats: Stats{Pending: 1}}, facts{}, Flowing, "1 item is held; nothing has been flushed yet"},
		"flowing": {Batcher{Stats: Stats{Pending: 10}, Recent: Recent{Batches: 4, Full: 1, MeanSize: 33.3333}},
			facts{lastOK: ago(time.Second)}, Flowing, "of the last 4 batches, 25 % were full; on average 33.3 of 100 items"},
		"just flushed": {Batcher{Recent: Recent{Batches: 1, Full: 1, MeanSize: 100}}, facts{lastOK: ago(time.Second)},
			Flowing, "of the last 1 batch, 100 % were full; on average 100 of 100 items"},
		"silent": {Batcher{Stats: Stats{Waiting: 1}}, facts{silent: true, asked: ago(2 * time.Second), told: ago(4 * time.Second)}, Silent,
			"no answer for 2s: a combine function or a key hangs, or there is no processor time; the figures are from before"},
		"never heard": {Batcher{}, facts{silent: true, asked: ago(time.Second)}, Silent,
			"no answer for 1s: a combine function or a key hangs, or there is no processor time; nothing is known of it yet"},
		"full": {Batcher{Stats: Stats{Waiting: 1, Pending: 600}}, facts{drops: drops{items: 1, from: at}},
			Full, "1 producer waits for room; 600 of at most 600 items are held"},
		"full since the sink fails": {Batcher{Stats: Stats{Waiting: 2, Pending: 600}, Errors: failure}, facts{},
			Full, "2 producers wait for room; 600 of at most 600 items are held; " + failed},
		"full since the sink hangs": {Batcher{Stats: Stats{Waiting: 2, Pending: 600, Running: 2}}, facts{running: ago(time.Hour)},
			Full, "2 producers wait for room; 600 of at most 600 items are held; a flush has been running for 1h0m0s; 2 of 2 workers are at work"},
		"full of heavy items": {Batcher{Stats: Stats{Waiting: 2, Pending: 5, QueueDepth: 4}}, facts{},
			Full, "2 producers wait for room; 4 batches wait for a worker; the queue has room for 4"},
		"dropping": {Batcher{Errors: failure}, facts{lastOK: ago(time.Second), drops: drops{7, ago(3 * time.Second), ago(2 * time.Second), ago(time.Second)}},
			Dropping, "7 items were dropped for lack of room in the last 3s"},
		"dropping since the sink fails": {Batcher{Errors: failure}, facts{drops: drops{1, ago(time.Second), ago(time.Second), at}},
			Dropping, "1 item was dropped for lack of room in the last 1s; " + failed},
		"has dropped": {Batcher{}, facts{lastOK: at, drops: drops{7, ago(time.Hour), ago(time.Hour), ago(10 * time.Second)}},
			Flaky, "7 items were dropped for lack of room in the last 1h0m0s"},
		"has dropped long ago": {Batcher{}, facts{lastOK: at, drops: drops{7, ago(time.Hour), ago(time.Hour), ago(time.Minute)}},
			Flowing, "nothing is held; the last flush ended 0s ago"},
		"failing": {Batcher{Errors: failure}, facts{lastOK: ago(2 * time.Second)}, Failing, failed},
		"failing, and another one hangs": {Batcher{Stats: Stats{Running: 1}, Errors: failure}, facts{running: ago(40 * time.Second)},
			Failing, failed + "; a flush has been running for 40s; 1 of 2 workers are at work"},
		"failing for long": {Batcher{Stats: Stats{Pending: 1}, Errors: old}, facts{}, Failing,
			"the last failure was 1h0m0s ago (other): down"},
		"has failed long ago": {Batcher{Errors: old}, facts{}, Idle,
			"nothing is held; the last failure was 1h0m0s ago (other): down"},
		"a flush hangs": {Batcher{Stats: Stats{Pending: 9, Running: 1}, Recent: Recent{P99: 2}}, facts{running: ago(31 * time.Second), lastOK: at},
			Stuck, "a flush has been running for 31s; 1 of 2 workers are at work"},
		"a flush is slow": {Batcher{Stats: Stats{Pending: 9, Running: 1, OldestAge: 30}, Recent: Recent{P99: 3}}, facts{running: ago(30 * time.Second), lastOK: at},
			Flowing, "9 items are held; the last flush ended 0s ago"},
		"flushes are slow": {Batcher{Stats: Stats{Pending: 9, Running: 1, OldestAge: 40}, Recent: Recent{P99: 4}}, facts{running: ago(40 * time.Second), lastOK: at},
			Flowing, "9 items are held; the last flush ended 0s ago"},
		"its hook was lost": {Batcher{Stats: Stats{Pending: 9}}, facts{running: ago(time.Hour), lastOK: at},
			Flowing, "9 items are held; the last flush ended 0s ago"},
		"stuck": {Batcher{Stats: Stats{Pending: 1, OldestAge: 21, Running: 1}}, facts{lastOK: ago(time.Minute)},
			Stuck, "the oldest item has been held for 21s; 1 of 2 workers are at work"},
		"old, but flushes end": {Batcher{Stats: Stats{Pending: 1, OldestAge: 21, Running: 1}}, facts{lastOK: ago(10 * time.Second)},
			Behind, "the oldest item has been held for 21s; 1 of 2 workers are at work"},
		"old, but the page is new": {Batcher{Stats: Stats{Pending: 1, OldestAge: 21, Running: 1}}, facts{since: ago(10 * time.Second)},
			Behind, "the oldest item has been held for 21s; 1 of 2 workers are at work"},
		"a key among others fails": {Batcher{Stats: Stats{Pending: 1, OldestAge: 3601, Running: 1}, Errors: old, Recent: Recent{Attempts: 512}},
			facts{lastOK: at}, Behind, "the oldest item has been held for 1h0m1s; 1 of 2 workers are at work; the last failure was 1h0m0s ago (other): down"},
		"closed, and a flush hangs": {Batcher{Stats: Stats{Returned: 6}}, facts{running: ago(time.Hour)},
			Stuck, "a flush has been running for 1h0m0s; 0 of 2 workers are at work"},
		"closed": {Batcher{Stats: Stats{Returned: 6}}, facts{lastOK: ago(time.Minute)},
			Idle, "6 items were handed back by Close; the last flush ended 1m0s ago"},
		"old, but MaxDelay is long": {Batcher{Stats: Stats{Pending: 1, OldestAge: 20}}, facts{lastOK: ago(time.Minute)},
			Flowing, "1 item is held; the last flush ended 1m0s ago"},
		"queue": {Batcher{Stats: Stats{Pending: 400, QueueDepth: 4}, Errors: failure}, facts{lastOK: ago(time.Second)},
			Behind, "4 batches wait for a worker; the queue has room for 4; " + failed},
		"due, but still filling": {Batcher{Stats: Stats{Pending: 12, QueueDepth: 4}}, facts{lastOK: ago(time.Second)},
			Flowing, "12 items are held; the last flush ended 1s ago"},
		"held": {Batcher{Stats: Stats{Pending: 480}}, facts{lastOK: ago(time.Second)},
			Behind, "480 of at most 600 items are held"},
		"nearly": {Batcher{Stats: Stats{Pending: 479, QueueDepth: 3}, Recent: Recent{Batches: 2, MeanSize: 1}},
			facts{lastOK: ago(time.Second)}, Flowing, "of the last 2 batches, 0 % were full; on average 1 of 100 items"},
		"flaky": {Batcher{Errors: failure, Recent: Recent{Attempts: 512, Failed: 3}}, facts{lastOK: ago(time.Second)},
			Flaky, "of the last 512 attempts, 3 failed; " + failed},
		"flaky, long ago in attempts": {Batcher{Errors: failure, Recent: Recent{Attempts: 512}}, facts{lastOK: ago(time.Second)},
			Flaky, failed},
		"no longer flaky": {Batcher{Errors: []Failure{{Time: ago(time.Minute)}}}, facts{lastOK: ago(time.Second)},
			Flowing, "nothing is held; the last flush ended 1s ago"},
	} {
		c.b.Config, c.f.now = config, at
		state, verdict := c.b.judge(c.f)
		assert.Equal(t, c.state, state, name)
		assert.Equal(t, c.verdict, verdict, name)
	}
}

func TestVerdictsWithKeysAndEagerly(t *testing.T) {
	keyed := Batcher{Stats: Stats{Pending: 5, QueueDepth: 5}, Config: Config{MaxHeld: 100}}
	state, _ := keyed.judge(facts{now: at, lastOK: at})
	assert.Equal(t, Flowing, state, "with keys the queue has no bound of its own")
	heavy := Batcher{Stats: Stats{Pending: 3, QueueDepth: 2}, Config: Config{MaxHeld: 100, QueueDepth: 2, MaxWeight: 10}}
	state, _ = heavy.judge(facts{now: at, lastOK: at})
	assert.Equal(t, Behind, state, "few items may fill it")
	keyed = Batcher{Stats: Stats{Waiting: 1, Pending: 10}, Config: Config{MaxHeld: 100, MaxPendingPerKey: 10}}
	_, verdict := keyed.judge(facts{now: at})
	assert.Equal(t, "1 producer waits for room; 10 of at most 100 items are held, and at most 10 of a key", verdict)
	eager := Batcher{Stats: Stats{Pending: 1, OldestAge: 11}, Config: Config{Eager: true, MaxDelay: 3600}}
	state, _ = eager.judge(facts{now: at, lastOK: ago(11 * time.Second)})
	assert.Equal(t, Stuck, state, "MaxDelay is without effect")
}

func TestFiguresHaveNoExponents(t *testing.T) {
	for n, want := range map[float64]string{
		1: "1", 2.333: "2.33", 99.94: "99.9", 99.96: "100", 999.6: "1000", 1e6: "1000000",
	} {
		assert.Equal(t, want, figures(n))
	}
}

func TestThePercentilesAreThoseOfTheNearestRank(t *testing.T) {
	for _, c := range []struct{ n, p50, p99 int }{{1, 1, 1}, {2, 1, 2}, {3, 2, 3}, {99, 50, 99}, {100, 50, 99}, {101, 51, 100}, {512, 256, 507}} {
		var attempts []attempt
		for i := range c.n {
			attempts = append(attempts, attempt{time.Duration(c.n-i) * time.Second, false})
		}
		r := recent(attempts, nil)
		assert.Equal(t, []float64{float64(c.p50), float64(c.p99)}, []float64{r.P50, r.P99}, "of %d", c.n)
	}
}
