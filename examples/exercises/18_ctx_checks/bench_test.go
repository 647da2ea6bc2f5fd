package ctxchecks

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// room is how many items a channel takes before it is emptied.
const room = 1024

// contexts are what producers come with.
func contexts(b *testing.B) map[string]context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return map[string]context.Context{"background": context.Background(), "cancel": ctx}
}

// BenchmarkAdd is an Add that finds room. No other goroutine is at the channel: it is emptied by
// the same one when it is full, which is in all of the figures. That of the library includes a
// worker that takes the batches.
func BenchmarkAdd(b *testing.B) {
	for _, kind := range []string{"background", "cancel"} {
		for _, name := range append(channels, "library") {
			b.Run("ctx="+kind+"/"+name, func(b *testing.B) {
				ctx := contexts(b)[kind]
				b.ReportAllocs()
				if name == "library" {
					benchLibrary(b, ctx, 1)
					return
				}
				in := make(chan int, room)
				a := open(name, in)
				b.ResetTimer()
				for i := range b.N {
					if len(in) == room {
						drain(in)
					}
					if err := a.Add(ctx, i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func drain(in chan int) {
	for len(in) > 0 {
		<-in
	}
}

// BenchmarkShared is an item end to end, with goroutines that share a context, and a
// channel that another goroutine reads: what Add saves, beside what the channel costs.
func BenchmarkShared(b *testing.B) {
	for _, goroutines := range []int{1, 8} {
		for _, name := range append(channels, "library") {
			b.Run(fmt.Sprintf("goroutines=%d/%s", goroutines, name), func(b *testing.B) {
				ctx := contexts(b)["cancel"]
				b.ReportAllocs()
				if name == "library" {
					benchLibrary(b, ctx, goroutines)
					return
				}
				in, seen := make(chan int, room), make(chan int)
				go func() {
					n := 0
					for range in {
						n++
					}
					seen <- n
				}()
				b.ResetTimer()
				addAll(b, ctx, open(name, in), goroutines)
				close(in)
				check(b, <-seen)
			})
		}
	}
}

func benchLibrary(b *testing.B, ctx context.Context, goroutines int) {
	seen := 0
	l, err := NewLibrary(room, func(batch []int) { seen += len(batch) })
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	addAll(b, ctx, l, goroutines)
	if err := l.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	check(b, seen)
}

func addAll(b *testing.B, ctx context.Context, a adder, goroutines int) {
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < b.N; i += goroutines {
				if err := a.Add(ctx, i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func check(b *testing.B, seen int) {
	b.StopTimer()
	if seen != b.N {
		b.Fatalf("%d of %d items arrived", seen, b.N)
	}
}
