package kafkasink_test

// Several instances side by side: what docs/scale.md says about Kafka.

import (
	"fmt"
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
// three brokers in the same process that store nothing. With a delay, each produce request takes that
// long on its way, as it would in a real cluster.
func BenchmarkFleet(b *testing.B) {
	for _, delay := range []time.Duration{0, 10 * time.Millisecond} {
		for _, instances := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("delay=%v/instances=%d", delay, instances), func(b *testing.B) {
				c := newCluster(b, 3, 12, kfake.BlackholeProduce(), kfake.ListenFn(delayed(delay)))
				var add []func(e event) error
				var closing []*batcher.Batcher[event]
				for range instances {
					sink, err := kafkasink.New(c.client(), record)
					require.NoError(b, err)
					require.NoError(b, sink.Write(b.Context(), events(100))) // connects
					bt, err := batcher.New(sink.Write, batcher.WithMaxSize(1000), batcher.WithWorkers(2))
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
			})
		}
	}
}

// delayed returns a listener whose connections hand over each request that much later.
func delayed(d time.Duration) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		inner, err := net.Listen(network, address)
		return &slowListener{inner, d}, err
	}
}

type slowListener struct {
	net.Listener
	delay time.Duration
}

func (l *slowListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{inner, l.delay}, nil
}

type slowConn struct {
	net.Conn
	delay time.Duration
}

// Read waits before the four bytes that a request begins with are handed over.
func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(p) == 4 && c.delay > 0 {
		<-time.After(c.delay)
	}
	return n, err
}
