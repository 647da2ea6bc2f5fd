package main

// How far it is: a bar on a terminal, plain lines elsewhere.

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows a count until it is stopped.
type progress struct {
	quit chan struct{} // closed by stop; nobody sends
	over sync.WaitGroup
}

// isTerminal reports whether w is a terminal, on which a bar can be drawn.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// startProgress shows what count returns. A total of 0 means that it is not known.
func startProgress(w io.Writer, terminal bool, total int64, count func() int64) *progress {
	p := &progress{quit: make(chan struct{})}
	show, every := lines(w, total), time.Second
	if terminal && total > 0 {
		show, every = bar(w, total), 100*time.Millisecond
	}
	p.over.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				show(count(), false)
			case <-p.quit:
				show(count(), true)
				return
			}
		}
	})
	return p
}

// stop shows the final count and ends.
func (p *progress) stop() {
	close(p.quit)
	p.over.Wait()
}

// bar and lines return a function that shows a count, perhaps for the last time.
func bar(w io.Writer, total int64) func(n int64, last bool) {
	b := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("events"),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("events"),
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionFullWidth(),
	)
	return func(n int64, last bool) {
		if !b.IsFinished() {
			_ = b.Set64(n) // the terminal's errors are nobody's business
		}
		if last {
			fmt.Fprintln(w)
		}
	}
}

func lines(w io.Writer, total int64) func(n int64, last bool) {
	began := time.Now()
	var shown int64 = -1
	return func(n int64, _ bool) {
		if n == shown {
			return
		}
		shown = n
		rate := float64(n) / time.Since(began).Seconds()
		if total > 0 {
			fmt.Fprintf(w, "%d of %d events, %.0f per second\n", n, total, rate)
		} else {
			fmt.Fprintf(w, "%d events, %.0f per second\n", n, rate)
		}
	}
}
