// Package idle measures what a queue costs that has nothing to do: processor time and memory, in a
// process of its own for each contender.
package idle

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/child"
	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// Queues are what is measured.
type Queues = contender.Contender[int]

// Cost is what an idle instance takes.
type Cost struct {
	Instances  int     // how many there were
	CPU        float64 // seconds of processor time, per second and instance
	Bytes      float64 // of heap and stacks in use, per instance
	Goroutines float64 // per instance
}

// settings are those of ordinary use.
var settings = contender.Settings{MaxSize: 100, MaxDelay: 100 * time.Millisecond, Workers: 1, Queue: 2}

// mostBytes is how much all instances may hold together: of those that hold a lot there are fewer.
const mostBytes = 1 << 30

// Jobs are what a process started by Measure can do.
func Jobs(find func(name string) (Queues, bool)) child.Jobs {
	return child.Jobs{"idle": func(args []string) (string, error) {
		if len(args) != 3 {
			return "", fmt.Errorf("idle: %d arguments", len(args))
		}
		c, ok := find(args[0])
		n, err1 := strconv.Atoi(args[1])
		spell, err2 := time.ParseDuration(args[2])
		if !ok || err1 != nil || err2 != nil {
			return "", fmt.Errorf("idle: bad arguments %q", args)
		}
		cost, err := measure(c, n, spell)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(cost)
		return string(text), err
	}}
}

// Measure makes instances in a new process, lets each have one batch, and measures over a spell in which
// nothing happens. There are fewer than n if they hold more than a gigabyte. The main of the program
// must have called Main of Jobs.
func Measure(ctx context.Context, contenderName string, n int, spell time.Duration) (Cost, error) {
	out, err := child.Run(ctx, time.Minute+10*spell, "idle", contenderName, strconv.Itoa(n), spell.String())
	if err != nil {
		return Cost{}, err
	}
	var cost Cost
	if err := json.Unmarshal([]byte(out), &cost); err != nil {
		return Cost{}, fmt.Errorf("idle: %w in %q", err, out)
	}
	return cost, nil
}

func measure(c Queues, n int, spell time.Duration) (Cost, error) {
	const few = 10
	goroutines, before := runtime.NumGoroutine(), inUse()
	queues := make([]contender.Queue[int], 0, n)
	for len(queues) < n {
		if held := inUseIf(len(queues) == few); len(queues) == few && held > before {
			n = min(n, max(few, int(mostBytes*few/(held-before))))
		}
		q, err := c.New(settings, func(context.Context, []int) error { return nil })
		if err != nil {
			return Cost{}, err
		}
		if err := q.Add(context.Background(), 1); err != nil {
			return Cost{}, err
		}
		queues = append(queues, q)
	}
	time.Sleep(3*settings.MaxDelay + spell/2) // until all batches are gone
	held := inUse()
	used := processorTime()
	began := time.Now()
	time.Sleep(spell)
	took := time.Since(began).Seconds()
	used = processorTime() - used
	instances := float64(len(queues))
	cost := Cost{
		Instances:  len(queues),
		CPU:        used.Seconds() / took / instances,
		Bytes:      max(0, float64(held)-float64(before)) / instances,
		Goroutines: float64(runtime.NumGoroutine()-goroutines) / instances,
	}
	runtime.KeepAlive(queues)
	return cost, nil
}

// inUse is the memory of heap and stacks in use, after the rubbish was collected.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func inUseIf(yes bool) uint64 {
	if !yes {
		return 0
	}
	return inUse()
}

// processorTime is what the process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
