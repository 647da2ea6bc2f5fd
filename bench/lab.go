package main

// The second step: who is measured, and under which settings.

import (
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
	"github.com/seed-4c1eaf8a/batcher/bench/report"
	"github.com/seed-4c1eaf8a/batcher/bench/workload"
)

// item64 is a struct of 64 bytes.
type item64 [8]int64

// lab is the contenders, once for each kind of item.
type lab struct {
	int64s   []contender.Contender[int64]
	structs  []contender.Contender[item64]
	pointers []contender.Contender[*item64]
}

// everyone is all contenders that there are.
func everyone() lab {
	return lab{contender.All[int64](), contender.All[item64](), contender.All[*item64]()}
}

// subjects is what the report says of them.
func (l lab) subjects() []report.Subject {
	var all []report.Subject
	for _, c := range l.int64s {
		all = append(all, report.SubjectOf(c))
	}
	return append(all, report.Subject{Name: report.EagerImpl, Kind: contender.Ours})
}

// pace is how long the cells of the sections take.
type pace struct {
	throughput, slow, delay, lone time.Duration
	benchtime                     time.Duration // of an exercise's benchmark
	idle                          time.Duration
	instances                     int // idle ones, for their memory
}

// full is for the documents: all sections in ten rounds take about twenty minutes.
var full = pace{
	throughput: 40 * time.Millisecond,
	slow:       400 * time.Millisecond,
	delay:      500 * time.Millisecond,
	lone:       100 * time.Millisecond,
	benchtime:  100 * time.Millisecond,
	idle:       400 * time.Millisecond,
	instances:  10_000,
}

// hasty is for a look.
var hasty = pace{
	throughput: 10 * time.Millisecond,
	slow:       100 * time.Millisecond,
	delay:      100 * time.Millisecond,
	lone:       30 * time.Millisecond,
	benchtime:  20 * time.Millisecond,
	idle:       100 * time.Millisecond,
	instances:  1_000,
}

// The settings of the sections: the same for all contenders.
var (
	fast    = contender.Settings{MaxSize: 1000, MaxDelay: 100 * time.Millisecond, Workers: 1, Queue: 2}
	slow    = contender.Settings{MaxSize: 100, MaxDelay: 10 * time.Millisecond, Workers: 4, Queue: 8}
	patient = contender.Settings{MaxSize: 1000, MaxDelay: 10 * time.Millisecond, Workers: 1, Queue: 2}
)

// producerCounts are those of the throughput; slowPause is what a batch takes before a slow
// sink, and slowProducers how many add there.
var producerCounts = []int{1, 2, 8, 64, 1000}

const (
	slowPause     = 2 * time.Millisecond
	slowProducers = 8
)

// The kinds of item.
var (
	int64Payload = workload.Payload[int64]{
		Name:   "int64",
		Make:   func(n int) int64 { return int64(n) },
		Number: func(item int64) int { return int(item) },
	}
	structPayload = workload.Payload[item64]{
		Name:   "struct64",
		Make:   func(n int) item64 { return item64{int64(n)} },
		Number: func(item item64) int { return int(item[0]) },
	}
	pointerPayload = workload.Payload[*item64]{
		Name:   "pointer",
		Make:   func(n int) *item64 { return &item64{int64(n)} },
		Number: func(item *item64) int { return int(item[0]) },
	}
)
