package batcherdebug

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestVerdicts(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	config := Config{MaxSize: 100, MaxDelay: 2, Workers: 2, QueueDepth: 4, MaxHeld: 600}
	failure := []Failure{{Time: now.Add(-1500 * time.Millisecond), Class: "timeout", Text: "too slow"}}
	for name, c := range map[string]struct {
		b       Batcher
		lastOK  time.Duration // before now; 0: never
		state   State
		verdict string
	}{
		"new":         {Batcher{}, 0, Idle, "nothing is held; nothing has been flushed yet"},
		"idle":        {Batcher{}, 90 * time.Second, Idle, "nothing is held; the last flush ended 1m30s ago"},
		"first items": {Batcher{Stats: Stats{Pending: 1}}, 0, Flowing, "1 item is held; nothing has been flushed yet"},
		"flowing": {Batcher{Stats: Stats{Pending: 10}, Recent: Recent{Batches: 4, Full: 1, MeanSize: 33.3333}}, time.Second,
			Flowing, "of the last 4 batches, 25 % were full; on average 33.3 of 100 items"},
		"just flushed": {Batcher{Recent: Recent{Batches: 1, Full: 1, MeanSize: 100}}, time.Second,
			Flowing, "of the last 1 batch, 100 % were full; on average 100 of 100 items"},
		"full": {Batcher{Stats: Stats{Waiting: 1, Pending: 600}, Errors: failure}, 0,
			Full, "1 producer waits for room; 600 of at most 600 items are held"},
		"failing": {Batcher{Errors: failure}, 2 * time.Second, Failing, "the last flush failed 1.5s ago (timeout): too slow"},
		"failed before the last success": {Batcher{Errors: failure, Stats: Stats{Pending: 1}}, time.Second,
			Flowing, "1 item is held; nothing has been flushed yet"},
		"stuck": {Batcher{Stats: Stats{Pending: 1, OldestAge: 21, Running: 1}}, time.Minute,
			Stuck, "the oldest item has been held for 21s; 1 of 2 workers are at work"},
		"old, but MaxDelay is long": {Batcher{Stats: Stats{Pending: 1, OldestAge: 20}}, time.Minute,
			Flowing, "1 item is held; nothing has been flushed yet"},
		"queue": {Batcher{Stats: Stats{Pending: 400, QueueDepth: 4}}, time.Second,
			Behind, "4 of at most 4 batches wait for a worker"},
		"held": {Batcher{Stats: Stats{Pending: 480}}, time.Second, Behind, "480 of at most 600 items are held"},
		"nearly": {Batcher{Stats: Stats{Pending: 479, QueueDepth: 3}, Recent: Recent{Batches: 2, MeanSize: 1}}, time.Second,
			Flowing, "of the last 2 batches, 0 % were full; on average 1 of 100 items"},
	} {
		c.b.Config = config
		var lastOK time.Time
		if c.lastOK > 0 {
			lastOK = now.Add(-c.lastOK)
		}
		state, verdict := judge(&c.b, lastOK, now)
		assert.Equal(t, c.state, state, name)
		assert.Equal(t, c.verdict, verdict, name)
	}
	keyed := Batcher{Stats: Stats{Pending: 5, QueueDepth: 5}, Config: Config{MaxHeld: 100}}
	state, _ := judge(&keyed, now, now)
	assert.Equal(t, Flowing, state, "with keys the queue has no bound of its own")
}
