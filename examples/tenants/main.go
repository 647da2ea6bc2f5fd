// Command tenants shows batches per tenant with a slow one among them: while the slow
// tenant's database does not answer, the others are served as ever, the slow one's rows
// stay in order and within its own budget, and nothing is lost.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"

	"github.com/seed-4c1eaf8a/batcher"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	db := &databases{out: out, answer: make(chan struct{})}
	s, err := batcher.NewSharded(db.insert,
		batcher.WithMaxSize(2),
		batcher.WithWorkers(2),               // one may hang with the slow tenant
		batcher.WithMaxPendingPerKey(4),      // rows of one tenant that may be under way
		batcher.WithOverflow(batcher.Reject), // beyond that, Add returns ErrFull
	)
	if err != nil {
		return err
	}
	ctx := context.Background()
	var last batcher.Receipt
	for row := 1; row <= 6; row++ {
		for _, tenant := range []string{"slow", "acme"} {
			r, err := s.Submit(ctx, tenant, row)
			switch {
			case errors.Is(err, batcher.ErrFull):
				db.printf("%s row %d: its budget is used up\n", tenant, row)
			case err != nil:
				return err
			case tenant == "acme":
				last = r
			}
		}
		if row%2 == 0 { // acme is served, whatever the slow one does
			if err := last.Wait(ctx); err != nil {
				return err
			}
		}
	}
	db.printf("the slow database answers again\n")
	close(db.answer)
	if err := s.Close(ctx); err != nil {
		return err
	}
	stats := s.Stats()
	db.printf("%d added, %d stored\n", stats.Added, stats.Flushed)
	return nil
}

// databases stands for one database per tenant.
type databases struct {
	answer chan struct{} // closed when the slow one answers

	mu  sync.Mutex // guards out
	out io.Writer
}

func (d *databases) insert(ctx context.Context, tenant string, rows []int) error {
	if tenant == "slow" {
		select {
		case <-d.answer:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	d.printf("stored for %s: %v\n", tenant, rows)
	return nil
}

func (d *databases) printf(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format, args...)
}
