package batcherdebug

// Asking batchers for their Stats, of which one that hangs must not keep the others from the page.

import (
	"context"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// news is how long ago the answer before may have been for what was dropped since to be news.
const news = 5 * time.Second

// drops are how many items were dropped in the time before an answer.
type drops struct {
	items int64
	span  time.Duration
}

// ask asks all batchers, and waits for their answers for a limited time. One that owes an answer from
// before is not waited for again, so it holds up one snapshot and no more.
func (p *Page) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), p.limit)
	defer cancel()
	var asked []*watched
	for _, w := range p.watched {
		if w.ask() {
			asked = append(asked, w)
		}
	}
	for _, w := range asked {
		w.hear(ctx)
	}
}

// ask puts a question, unless the answer to an earlier one is owed, and reports whether. So a batcher
// that does not answer costs one goroutine, until it does.
func (w *watched) ask() (asked bool) {
	if len(w.answer) > 0 {
		<-w.answer // to an earlier question: it is old by now
		w.asked = time.Time{}
	}
	if !w.asked.IsZero() {
		return false
	}
	w.asked = time.Now()
	go func() { w.answer <- w.batcher.Stats() }()
	return true
}

// hear waits for the answer until ctx ends.
func (w *watched) hear(ctx context.Context) {
	select {
	case s := <-w.answer:
		w.heard(s, time.Now())
	case <-ctx.Done():
		if len(w.answer) > 0 { // it may have come while another one was waited for
			w.heard(<-w.answer, time.Now())
		}
	}
}

// heard notes an answer.
func (w *watched) heard(s batcher.Stats, now time.Time) {
	w.dropped = drops{}
	if span := now.Sub(w.told); !w.told.IsZero() && span <= news {
		w.dropped = drops{s.Dropped - w.stats.Dropped, span}
	}
	w.stats, w.told, w.asked = s, now, time.Time{}
}
