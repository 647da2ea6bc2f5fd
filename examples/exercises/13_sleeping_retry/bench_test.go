package sleepingretry

// Times are real here; the pauses are short for that. The tests have the same in virtual time, with
// the pauses of a real service, and exact.

import (
	"context"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// variant writes the batch once, with retries. ctx is what ends the pauses.
type variant struct {
	name string
	make func(b *testing.B, base time.Duration, write Write) (once func(ctx context.Context))
}

var variants = []variant{
	{"slow", func(_ *testing.B, base time.Duration, write Write) func(context.Context) {
		return func(context.Context) { _ = Slow(attempts, base, write, batch) }
	}},
	{"ontop", func(_ *testing.B, base time.Duration, write Write) func(context.Context) {
		return func(ctx context.Context) { _ = OnTop(ctx, attempts, base, most, write, batch) }
	}},
	{"fast", func(_ *testing.B, base time.Duration, write Write) func(context.Context) {
		backoff := batcher.ExponentialBackoff(base, most)
		return func(ctx context.Context) { _ = Fast(ctx, attempts, backoff, write, batch) }
	}},
	{"library", newLibrary},
}

func newLibrary(b *testing.B, base time.Duration, write Write) func(context.Context) {
	l, err := NewLibrary(len(batch), attempts, batcher.ExponentialBackoff(base, most), write)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close(context.Background()) })
	return func(ctx context.Context) {
		_, _ = l.AddAll(ctx, batch)
		_ = l.Flush(ctx)
	}
}

// bench runs once, b.N times; each of them shall make so many attempts.
func bench(b *testing.B, base time.Duration, want int, answer func(attempt int) error) {
	for _, v := range variants {
		b.Run("base="+base.String()+"/"+v.name, func(b *testing.B) {
			made := 0
			once := v.make(b, base, func(context.Context, []int) error {
				made++
				return answer(made)
			})
			b.ReportAllocs()
			b.ResetTimer()
			total := 0
			for range b.N {
				made = 0
				once(context.Background())
				total += made
			}
			b.StopTimer()
			b.ReportMetric(float64(total)/float64(b.N), "attempts/op")
			if want > 0 && total != want*b.N {
				b.Fatalf("%d attempts instead of %d each", total, want)
			}
		})
	}
}

// BenchmarkSuccess is what the retry costs when there is nothing to retry.
func BenchmarkSuccess(b *testing.B) {
	bench(b, time.Millisecond, 1, func(int) error { return nil })
}

// BenchmarkThreeFailures is the wall time until the fourth attempt is through.
func BenchmarkThreeFailures(b *testing.B) {
	bench(b, time.Millisecond, 4, func(attempt int) error {
		if attempt <= 3 {
			return errDown
		}
		return nil
	})
}

// BenchmarkPermanent is the wall time until it is clear that no attempt will help.
func BenchmarkPermanent(b *testing.B) {
	rejected := batcher.Permanent(errDown)
	bench(b, time.Millisecond, 0, func(int) error { return rejected })
}

// BenchmarkCancel is the time that it takes to return after a cancel that comes during the first
// attempt. The library's is that of Close.
func BenchmarkCancel(b *testing.B) {
	const base = 5 * time.Millisecond
	for _, v := range variants {
		b.Run("base="+base.String()+"/"+v.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				ctx, cancel := context.WithCancel(context.Background())
				down := func(context.Context, []int) error { cancel(); return errDown }
				if v.name == "library" {
					closeLibrary(b, ctx, base, down)
				} else {
					v.make(b, base, down)(ctx)
				}
			}
		})
	}
}

func closeLibrary(b *testing.B, ctx context.Context, base time.Duration, write Write) {
	l, err := NewLibrary(len(batch), attempts, batcher.ExponentialBackoff(base, most), write)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = l.AddAll(ctx, batch)
	_ = l.Close(ctx) // hands back what is left, if the cancel came before the second attempt
}
