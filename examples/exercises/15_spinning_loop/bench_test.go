package spinningloop

import (
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher/examples/exercises/internal/cputime"
)

// idleFor is how long an op of BenchmarkIdle takes.
const idleFor = 200 * time.Millisecond

// BenchmarkIdle is a batcher with nothing to do. An op is a fifth of a second, of which cpu-ns/op
// is what the process has used of the processors: the time of the op itself says nothing.
func BenchmarkIdle(b *testing.B) {
	for _, name := range names {
		b.Run("idle="+idleFor.String()+"/"+name, func(b *testing.B) {
			v := open(b, name, 100, time.Hour, func([]int) {})
			b.ReportAllocs()
			b.ResetTimer()
			before := cputime.Now()
			for range b.N {
				time.Sleep(idleFor)
			}
			used := cputime.Now() - before
			b.StopTimer()
			if err := v.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkArrival is a single item, a batch of its own, from its Add until the sink has it, to a
// batcher that was idle.
func BenchmarkArrival(b *testing.B) {
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			arrived := make(chan struct{}, 1)
			v := open(b, name, 1, time.Hour, func([]int) { arrived <- struct{}{} })
			b.ReportAllocs()
			b.ResetTimer()
			before := cputime.Now()
			for i := range b.N {
				v.Add(i)
				<-arrived
			}
			used := cputime.Now() - before
			b.StopTimer()
			if err := v.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
		})
	}
}
