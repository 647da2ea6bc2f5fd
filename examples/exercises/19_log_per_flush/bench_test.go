package logperflush

import (
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// size is how many items a batch has.
const size = 500

// chunk is how many flushes are timed together, so that the clock does not count.
const chunk = 100

// BenchmarkFlush is a flush that goes well: a sink that encodes its 500 items, and a log in a
// file. log-B is what is written to it for each flush. log-pct is the share of the time of a
// flush that is not the sink's: the same flushes are done by the sink alone, in turn, a hundred
// at a time, and the medians are compared. The library has none, since it does not log.
func BenchmarkFlush(b *testing.B) {
	for _, name := range names {
		b.Run("size=500/"+name, func(b *testing.B) { bench(b, name) })
	}
}

func bench(b *testing.B, name string) {
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	logged, alone := newSink(), newSink()
	f, end := open(b, name, size, logged.write, file)
	batch := make([]int, size)
	chunks := b.N/chunk + 1
	with, without := newTimes(chunks), newTimes(chunks)
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= chunk {
		n := min(left, chunk)
		with.measure(n, func() { f.Flush(Size, batch) })
		if name != "library" {
			without.measure(n, func() { _ = alone.write(batch) })
		}
	}
	start := time.Now()
	end()
	with.total += time.Since(start)
	b.StopTimer()
	if logged.items.Load() != int64(b.N)*size {
		b.Fatalf("%d of %d items reached the sink", logged.items.Load(), b.N*size)
	}
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(with.total)/float64(b.N), "ns/op") // without those of the sink alone
	b.ReportMetric(float64(info.Size())/float64(b.N), "log-B")
	if name != "library" {
		b.ReportMetric(100*max(0, 1-without.median()/with.median()), "log-pct")
	}
}

// times are the times of a flush, as the mean of a chunk of them.
type times struct {
	total time.Duration
	each  []float64
}

func newTimes(chunks int) *times { return &times{each: make([]float64, 0, chunks)} }

func (t *times) measure(n int, do func()) {
	start := time.Now()
	for range n {
		do()
	}
	took := time.Since(start)
	t.total += took
	t.each = append(t.each, float64(took)/float64(n))
}

func (t *times) median() float64 {
	slices.Sort(t.each)
	return t.each[len(t.each)/2]
}

// sink encodes batches, and forgets them.
type sink struct {
	buf   []byte
	sum   uint32
	items atomic.Int64
}

func newSink() *sink { return &sink{buf: make([]byte, 0, 4*size)} }

func (s *sink) write(batch []int) error {
	s.buf = s.buf[:0]
	for _, item := range batch {
		s.buf = append(s.buf, byte(item), byte(item>>8), byte(item>>16), byte(item>>24))
	}
	s.sum = crc32.Update(s.sum, crc32.IEEETable, s.buf)
	s.items.Add(int64(len(batch)))
	return nil
}
