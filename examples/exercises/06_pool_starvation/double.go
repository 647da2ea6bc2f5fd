package pool_starvation

// The first fix: a larger pool.

import (
	"context"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// OpenDouble opens the service with one pool of twice as many connections as there are workers. The
// workers cannot take more than half of it. But the others can take all of it, so that now it
// is the batches that may starve; that takes a bound of its own on whoever they are.
func OpenDouble(ctx context.Context, dsn string, workers int) (*Service, error) {
	pool, err := newPool(ctx, dsn, 2*workers)
	if err != nil {
		return nil, err
	}
	// Numbers of this kind drift apart when somebody tunes one of them: the library has a check for it.
	err = pgsink.CheckPool(pool, workers, workers)
	var s *Service
	if err == nil {
		s, err = open(ctx, pool, pool, workers)
	}
	if err != nil {
		pool.Close()
	}
	return s, err
}
