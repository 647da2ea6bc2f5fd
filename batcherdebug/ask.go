package batcherdebug

// Asking batchers for their Stats, of which one that hangs must not keep the others from the page.

import (
	"context"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
)

// answer is what a batcher has told.
type answer struct {
	stats batcher.Stats
	at    time.Time // zero: nothing yet
}

// drops are those of the last minute, or so: what was dropped between two answers is noticed by the
// second one.
type drops struct {
	items int64
	since time.Time // the answer before the first of them; zero: there are none
	from  time.Time // the answer before the last of them
	until time.Time // the answer that told of the last of them
}

// ask asks all batchers, and waits for their answers for a limited time. One that has let it pass
// is not waited for while it owes the answer, or answers late each time, so it holds up one
// snapshot and no more.
func (p *Page) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), p.limit)
	defer cancel()
	var awaited []*watched
	for _, w := range p.watched {
		w.ask(p.limit)
		if !w.late {
			awaited = append(awaited, w)
		}
	}
	for _, w := range awaited {
		w.await(ctx, p.limit)
	}
}

// ask puts a question, unless the answer to an earlier one is owed. So a batcher that does not
// answer costs one goroutine, until it does.
func (w *watched) ask(limit time.Duration) {
	if len(w.answers) > 0 {
		w.heard(<-w.answers, limit) // it came after the last snapshot
	}
	if !w.asked.IsZero() {
		return
	}
	w.asked = time.Now()
	go func() {
		stats := w.batcher.Stats()
		w.answers <- answer{stats, time.Now()}
	}()
}

// await waits for the answer until ctx ends.
func (w *watched) await(ctx context.Context, limit time.Duration) {
	select {
	case a := <-w.answers:
		w.heard(a, limit)
	case <-ctx.Done():
		w.late = true
		if len(w.answers) > 0 { // it may have come while another one was waited for
			w.heard(<-w.answers, limit)
		}
	}
}

// heard notes an answer.
func (w *watched) heard(a answer, limit time.Duration) {
	w.drops.note(w.last, a)
	w.late = a.at.Sub(w.asked) > limit && time.Since(a.at) < news
	w.last, w.asked = a, time.Time{}
}

// news is how old an answer may be while the next one is owed.
const news = 3 * time.Second

// silent reports whether a batcher that was waited for, now or before, has told nothing new.
func (w *watched) silent(now time.Time, limit time.Duration) bool {
	return !w.asked.IsZero() && now.Sub(w.asked) >= limit && (w.last.at.IsZero() || now.Sub(w.last.at) > news)
}

// note adds what was dropped between two answers.
func (d *drops) note(before, now answer) {
	items := now.stats.Dropped - before.stats.Dropped
	if before.at.IsZero() || items == 0 {
		return
	}
	if now.at.Sub(d.until) > time.Minute {
		*d = drops{since: before.at}
	}
	d.items += items
	d.from, d.until = before.at, now.at
}
