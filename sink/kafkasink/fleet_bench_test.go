package kafkasink_test

// Several instances side by side: what docs/scale.md says about Kafka.

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/sink/kafkasink"
)

// BenchmarkFleet runs instances in one process, each with a client and a batcher of its own, against
// three brokers in the same process that store nothing. With a delay, each request takes that
// long on its way, as it would in a real cluster.
func BenchmarkFleet(b *testing.B) {
	for _, run := range []struct {
		delay              time.Duration
		instances, workers int
	}{
		{0, 1, 2}, {0, 2, 2}, {0, 4, 2},
		{10 * time.Millisecond, 1, 2}, {10 * time.Millisecond, 2, 2}, {10 * time.Millisecond, 4, 2},
		{10 * time.Millisecond, 1, 4}, {10 * time.Millisecond, 1, 8},
	} {
		name := fmt.Sprintf("delay=%v/instances=%d/workers=%d", run.delay, run.instances, run.workers)
		b.Run(name, func(b *testing.B) { fleet(b, run.delay, run.instances, run.workers) })
	}
}

// fleet runs one of the benchmarks.
func fleet(b *testing.B, delay time.Duration, instances, workers int) {
	c := newCluster(b, 3, 12, kfake.BlackholeProduce(), kfake.ListenFn(delayed(delay)))
	var add []func(e event) error
	var closing []*batcher.Batcher[event]
	for range instances {
		sink, err := kafkasink.New(c.client(), record)
		require.NoError(b, err)
		require.NoError(b, sink.Write(b.Context(), events(100))) // connects
		bt, err := batcher.New(sink.Write, batcher.WithMaxSize(1000), batcher.WithWorkers(workers))
		require.NoError(b, err)
		add = append(add, func(e event) error { return bt.Add(b.Context(), e) })
		closing = append(closing, bt)
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for k := range instances {
		wg.Go(func() {
			for i := k; i < b.N; i += instances {
				if err := add[k](eventNo(i)); err != nil {
					b.Error(err)
				}
			}
			if err := closing[k].Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// delayed returns a listener whose connections hand over everything that much later, as a long way
// does: what comes together stays together.
func delayed(d time.Duration) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		inner, err := net.Listen(network, address)
		if err != nil || d == 0 {
			return inner, err
		}
		return &farListener{inner, d}, nil
	}
}

type farListener struct {
	net.Listener
	delay time.Duration
}

func (l *farListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &farConn{Conn: inner, way: make(chan chunk, 1000)}
	go c.receive(l.delay)
	return c, nil
}

// chunk is something on its way.
type chunk struct {
	data []byte
	due  time.Time
}

type farConn struct {
	net.Conn
	way  chan chunk // from receive, which closes it, to Read
	rest []byte     // of the last chunk
}

// receive takes what comes until the connection ends.
func (c *farConn) receive(delay time.Duration) {
	defer close(c.way)
	for {
		p := make([]byte, 64<<10)
		n, err := c.Conn.Read(p)
		if err != nil {
			return
		}
		c.way <- chunk{p[:n], time.Now().Add(delay)}
	}
}

func (c *farConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		next, ok := <-c.way
		if !ok {
			return 0, io.EOF
		}
		<-time.After(time.Until(next.due))
		c.rest = next.data
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
