// Command pageviews counts page views and writes the counts to a database that is down
// for a while. Views are combined in memory, so a batch is as large as the number of
// pages, not of views; and with WithFoldBack, a batch that the database does not take is
// combined with the views that come meanwhile, instead of being given up. No view is
// lost, and none is counted twice.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

var errDown = errors.New("the database is down")

// database has a table of pages and views. It is down until it is brought up.
type database struct {
	mu    sync.Mutex
	up    bool
	views map[string]int
}

// add does what a database does for
//
//	INSERT INTO pages (page, views) VALUES ... ON CONFLICT (page) DO UPDATE SET views = pages.views + excluded.views
//
// in one transaction: it writes all of it or nothing.
func (db *database) add(_ context.Context, batch map[string]int) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if !db.up {
		return errDown
	}
	for page, views := range batch {
		db.views[page] += views
	}
	return nil
}

func (db *database) bringUp() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.up = true
}

func run(out io.Writer) error {
	db := &database{views: make(map[string]int)}
	views, err := batcher.NewCombiner(
		func(old, new int) int { return old + new },
		db.add,
		batcher.WithMaxDelay(5*time.Millisecond),
		// One attempt, and then back to what has come meanwhile, after a pause that grows.
		batcher.WithRetry(1, batcher.ExponentialBackoff(5*time.Millisecond, 20*time.Millisecond)),
		batcher.WithFoldBack(),
	)
	if err != nil {
		return err
	}
	ctx := context.Background()
	failed := func() bool { return views.Stats().Retries > 0 }

	total := 0
	for visitor := 0; visitor < 10_000 || !failed(); visitor++ { // until the outage is felt
		page := [...]string{"/", "/", "/docs", "/blog"}[visitor%4]
		if err := views.Add(ctx, page, 1); err != nil {
			return err
		}
		total++
		if visitor%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	db.bringUp()
	if err := views.Close(ctx); err != nil { // waits for what was put back, too
		return err
	}
	report(out, db, total)
	return nil
}

func report(out io.Writer, db *database, total int) {
	stored := 0
	for _, n := range db.views {
		stored += n
	}
	fmt.Fprintln(out, len(db.views), "pages in the database")
	fmt.Fprintln(out, total-stored, "views lost or counted twice")
}
