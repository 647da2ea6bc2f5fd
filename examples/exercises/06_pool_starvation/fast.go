package pool_starvation

// The fix that holds in both directions: a pool for the batches, and one for the rest.

import (
	"context"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink"
)

// othersConns is how many connections everybody else has.
const othersConns = 2

// OpenFast opens the service with two pools, a bulkhead: what one side does with its connections is
// nothing to the other. The workers' has as many as there are workers, since a Write holds exactly
// one; pgsink.CheckPool (sink/pgsink/poolsize.go) sees to it at the start. examples/ingest does the
// same (postgres.go).
func OpenFast(ctx context.Context, dsn string, workers int) (*Service, error) {
	writer, err := newPool(ctx, dsn, workers)
	if err != nil {
		return nil, err
	}
	others, err := newPool(ctx, dsn, othersConns)
	if err != nil {
		writer.Close()
		return nil, err
	}
	err = pgsink.CheckPool(writer, workers, 0)
	var s *Service
	if err == nil {
		s, err = open(ctx, writer, others, workers)
	}
	if err != nil {
		writer.Close()
		others.Close()
	}
	return s, err
}
