package reflection

import (
	"sync/atomic"
	"testing"
)

// BenchmarkAdd is an item end to end, from one goroutine.
func BenchmarkAdd(b *testing.B) {
	bench(b, "int64", int64(1_000_000))
	bench(b, "string", "an item of a few bytes")
	bench(b, "struct64", Event{User: "user", Action: "login"})
	bench(b, "pointer", &Event{User: "user", Action: "login"})
}

func bench[T any](b *testing.B, kind string, item T) {
	for _, name := range names {
		b.Run("item="+kind+"/"+name, func(b *testing.B) {
			var seen atomic.Int64
			a := open(b, name, 1000, func(batch []T) error { seen.Add(int64(len(batch))); return nil })
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				a.add(item)
			}
			if err := a.close(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if seen.Load() != int64(b.N) {
				b.Fatalf("%d of %d items reached the sink", seen.Load(), b.N)
			}
		})
	}
}
