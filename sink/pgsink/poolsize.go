package pgsink

// How many connections a pool needs.

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-4c1eaf8a/batcher"
)

// CheckPool checks that the pool has a connection for each of the batcher's workers and for others
// that use it at the same time, such as health checks and queries: MaxConns must be workers +
// others at least. If not, the error wraps [batcher.ErrConfig] and says so.
//
// A Write holds one connection for as long as it lasts. If the workers can hold all of them,
// everything else that uses the pool waits for a batch to end, and a health check fails while
// nothing is wrong. Either give the pool twice as many connections as there are workers, or, better,
// give the sink a pool of its own with MaxConns = workers: then neither can take anything from the
// other. A server under PgBouncer counts connections the same way, there.
func CheckPool(pool *pgxpool.Pool, workers, others int) error {
	var faults []error
	if pool == nil {
		faults = append(faults, fmt.Errorf("CheckPool: the pool is nil"))
	}
	if workers < 1 {
		faults = append(faults, fmt.Errorf("CheckPool: %d workers: must be at least 1", workers))
	}
	if others < 0 {
		faults = append(faults, fmt.Errorf("CheckPool: %d others: must not be negative", others))
	}
	if len(faults) > 0 {
		return configError(faults)
	}
	if conns := int64(pool.Config().MaxConns); conns < int64(workers)+int64(others) {
		return fmt.Errorf("pgsink: %w: the pool has MaxConns %d, but %d workers and %d others need %d: "+
			"set pool_max_conns (twice the workers is a good size), or give the sink a pool of its own",
			batcher.ErrConfig, conns, workers, others, int64(workers)+int64(others))
	}
	return nil
}
