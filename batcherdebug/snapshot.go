package batcherdebug

// What the page is told, and stats.json.

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// Snapshot is the content of stats.json. Durations are in seconds.
type Snapshot struct {
	Time     time.Time `json:"time"`
	Since    time.Time `json:"since"`       // when Handler was called: if it changes, the program was started anew
	Age      float64   `json:"age_seconds"` // the time from Since on, by a clock that nobody sets
	Batchers []Batcher `json:"batchers"`    // in the order of Handler's arguments
}

// Batcher is one of them.
type Batcher struct {
	ID       int       `json:"id"`   // its place, from 0 on
	Name     string    `json:"name"` // may be empty; at most 500 characters of it
	FrontEnd string    `json:"front_end"`
	State    State     `json:"state"`
	Verdict  string    `json:"verdict"` // the state in words
	Stats    Stats     `json:"stats"`   // the last known, if the state is "silent"
	Recent   Recent    `json:"recent"`
	Errors   []Failure `json:"errors"` // the last ones, the newest first
	Config   Config    `json:"config"`
}

// Stats is [batcher.Stats], whose identity holds for it.
type Stats struct {
	Age            float64          `json:"age_seconds"` // the page's when they were taken; 0: never
	Added          int64            `json:"added"`
	Flushed        int64            `json:"flushed"`
	Failed         int64            `json:"failed"`
	Dropped        int64            `json:"dropped"`
	Returned       int64            `json:"returned"`
	Folded         int64            `json:"folded"`
	Pending        int64            `json:"pending"`
	Merged         int64            `json:"merged"`
	Retries        int64            `json:"retries"`
	Attempts       int64            `json:"attempts"`        // that have ended since Handler
	FailedAttempts int64            `json:"failed_attempts"` // of these
	Batches        map[string]int64 `json:"batches"`         // by reason
	QueueDepth     int              `json:"queue_depth"`
	Running        int              `json:"running"`
	Waiting        int              `json:"waiting"`
	OldestAge      float64          `json:"oldest_age_seconds"`
}

// Recent describes the last attempts and batches, 512 at most of each. Without any, the
// figures are 0.
type Recent struct {
	Attempts int      `json:"attempts"`
	Failed   int      `json:"failed"` // of the attempts
	P50      float64  `json:"flush_p50_seconds"`
	P99      float64  `json:"flush_p99_seconds"` // the longest of less than 100
	Batches  int      `json:"batches"`
	MeanSize float64  `json:"mean_size"`
	Full     int      `json:"full"`  // of the batches: sealed because of their size or weight
	Sizes    []Bucket `json:"sizes"` // from 1 up, without gaps
}

// Bucket is how many batches had a size from From to To.
type Bucket struct {
	From  int `json:"from"`
	To    int `json:"to"`
	Count int `json:"count"`
}

// Failure is an error of a flush: one of the last 10 different ones, by class and text.
type Failure struct {
	Time    time.Time `json:"time"`  // the last time
	Class   string    `json:"class"` // [batcher.ErrorClass]
	Text    string    `json:"text"`  // at most 500 characters
	Items   int       `json:"items"`
	Attempt int       `json:"attempt"`
	Times   int       `json:"times"` // since it is among these
}

// Config is [batcher.Config].
type Config struct {
	MaxSize          int     `json:"max_size"`
	MaxDelay         float64 `json:"max_delay_seconds"`
	MaxWeight        int     `json:"max_weight"`
	Eager            bool    `json:"eager"`
	Workers          int     `json:"workers"`
	QueueDepth       int     `json:"queue_depth"`
	Overflow         string  `json:"overflow"`
	MaxHeld          int64   `json:"max_held"`
	MaxPendingPerKey int     `json:"max_pending_per_key"`
	FlushTimeout     float64 `json:"flush_timeout_seconds"`
	MaxAttempts      int     `json:"max_attempts"`
	Bisect           bool    `json:"bisect"`
	FoldBack         bool    `json:"fold_back"`
	DeadLetter       bool    `json:"dead_letter"`
	Lanes            int     `json:"lanes"`
	Shards           int     `json:"shards"`
}

// document is a snapshot as JSON. All who ask for it share its bytes.
type document struct {
	made     time.Time
	compact  []byte        // for programs
	indented func() []byte // for people; made when the first of them asks
}

// snapshot returns one, the same to all who ask within most of a second.
func (p *Page) snapshot() *document {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latest != nil && time.Since(p.latest.made) < p.period*9/10 {
		return p.latest
	}
	p.ask()
	now := time.Now()
	s := Snapshot{Time: now, Since: p.since, Age: now.Sub(p.since).Seconds(), Batchers: []Batcher{}}
	for _, w := range p.watched {
		s.Batchers = append(s.Batchers, w.look(now, p.since, p.limit))
	}
	compact, _ := json.Marshal(s) // cannot fail: there is nothing in it that JSON cannot say
	p.latest = &document{now, compact, sync.OnceValue(func() []byte {
		var out bytes.Buffer
		_ = json.Indent(&out, compact, "", "  ") // it is JSON
		return append(out.Bytes(), '\n')
	})}
	return p.latest
}

// look makes the entry of a batcher, under the page's lock.
func (w *watched) look(now, since time.Time, limit time.Duration) Batcher {
	w.mu.Lock()
	attempts, batches := w.attempts.all(), w.batches.all()
	ended, failed := int64(w.attempts.count), w.failed
	errors, lastOK, running := slices.Clone(w.errors), w.lastOK, w.oldestLocked()
	w.mu.Unlock()
	slices.Reverse(errors)
	b := Batcher{
		ID:       w.id,
		Name:     cut(w.config.Name),
		FrontEnd: w.config.FrontEnd,
		Stats:    statsOf(w.last.stats),
		Recent:   recent(attempts, batches),
		Errors:   append([]Failure{}, errors...),
		Config:   configOf(w.config),
	}
	b.Stats.Attempts, b.Stats.FailedAttempts = ended, failed
	if !w.last.at.IsZero() {
		b.Stats.Age = w.last.at.Sub(since).Seconds()
	}
	b.State, b.Verdict = b.judge(facts{
		now: now, since: since, silent: w.silent(now, limit), asked: w.asked, told: w.last.at,
		lastOK: lastOK, running: running, drops: w.drops,
	})
	return b
}

func statsOf(s batcher.Stats) Stats {
	batches := make(map[string]int64)
	for reason := batcher.ReasonSize; int(reason) < len(s.Batches); reason++ {
		batches[reason.String()] = s.Batches[reason]
	}
	return Stats{
		Added: s.Added, Flushed: s.Flushed, Failed: s.Failed, Dropped: s.Dropped, Returned: s.Returned,
		Folded: s.Folded, Pending: s.Pending, Merged: s.Merged, Retries: s.Retries,
		Batches: batches, QueueDepth: s.QueueDepth, Running: s.Running, Waiting: s.Waiting,
		OldestAge: s.OldestAge.Seconds(),
	}
}

func configOf(c batcher.Config) Config {
	return Config{
		MaxSize: c.MaxSize, MaxDelay: c.MaxDelay.Seconds(), MaxWeight: c.MaxWeight, Eager: c.Eager,
		Workers: c.Workers, QueueDepth: c.QueueDepth, Overflow: c.Overflow.String(), MaxHeld: c.MaxHeld,
		MaxPendingPerKey: c.MaxPendingPerKey, FlushTimeout: c.FlushTimeout.Seconds(),
		MaxAttempts: c.MaxAttempts, Bisect: c.Bisect, FoldBack: c.FoldBack, DeadLetter: c.DeadLetter,
		Lanes: c.Lanes, Shards: c.Shards,
	}
}

// recent describes the last attempts and batches.
func recent(attempts []attempt, batches []sealed) Recent {
	r := Recent{Attempts: len(attempts), Batches: len(batches), Sizes: []Bucket{}}
	durations := make([]time.Duration, 0, len(attempts))
	for _, a := range attempts {
		durations = append(durations, a.duration)
		if a.failed {
			r.Failed++
		}
	}
	slices.Sort(durations)
	if n := len(durations); n > 0 { // the nearest rank
		r.P50, r.P99 = durations[(n-1)/2].Seconds(), durations[(n*99+99)/100-1].Seconds()
	}
	if len(batches) == 0 {
		return r
	}
	sum := 0
	for _, b := range batches {
		sum += b.size
		switch b.reason {
		case batcher.ReasonSize, batcher.ReasonWeight:
			r.Full++
		}
	}
	r.MeanSize = float64(sum) / float64(len(batches))
	r.Sizes = sizes(batches)
	return r
}

// sizes counts batches in buckets that double: 1, 2 to 3, 4 to 7, ...
func sizes(batches []sealed) (buckets []Bucket) {
	largest := slices.MaxFunc(batches, func(a, b sealed) int { return cmp.Compare(a.size, b.size) }).size
	for i := range bits.Len(uint(largest)) {
		buckets = append(buckets, Bucket{From: 1 << i, To: 1<<(i+1) - 1})
	}
	for _, b := range batches {
		buckets[bits.Len(uint(b.size))-1].Count++
	}
	return buckets
}
