package pool_starvation

// The slow way: one pool, with a connection for each worker.

import "context"

// OpenSlow opens the service with one pool of as many connections as there are workers. "A connection
// for each worker" sounds right, and under load it leaves nothing to anybody else: a health check
// waits until a batch is written, and behind whoever waits already. With a slow database it
// fails, and the service is restarted for being busy.
func OpenSlow(ctx context.Context, dsn string, workers int) (*Service, error) {
	pool, err := newPool(ctx, dsn, workers)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, pool, pool, workers)
	if err != nil {
		pool.Close()
	}
	return s, err
}
