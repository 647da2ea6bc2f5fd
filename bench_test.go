package batcher

import ("context";"testing";"sync")

func BenchmarkQ(b *testing.B) {
	b.Run("impl=batcher", func(b *testing.B) {
		q, _ := New(func(ctx context.Context, batch []int64) error { return nil }, WithMaxSize(1000))
		ctx := context.Background()
		b.ReportAllocs()
		for i := range b.N { q.Add(ctx, int64(i)) }
		q.Close(ctx)
	})
	b.Run("impl=lock", func(b *testing.B) {
		var mu sync.Mutex
		var s []int64
		b.ReportAllocs()
		for i := range b.N { mu.Lock(); s = append(s, int64(i)); if len(s)==1000 {s=s[:0]}; mu.Unlock() }
	})
}
