package measure

// How far it is: a bar on a terminal, plain lines elsewhere, both with what runs now and the time
// left.

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineEvery is the least time between two lines where there is no terminal.
const lineEvery = 10 * time.Second

// Progress is a Watcher that shows how far a run of several plans is.
type Progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil: lines
	total time.Duration            // as expected
	began time.Time

	mu    sync.Mutex    // guards the fields below
	over  time.Duration // of total
	shown time.Time
	now   string
}

// NewProgress returns one that shows on w how much of total, which is an estimate, is over.
func NewProgress(w io.Writer, total time.Duration) *Progress {
	p := &Progress{w: w, total: total, began: time.Now()}
	if isTerminal(w) {
		p.bar = progressbar.NewOptions64(total.Milliseconds(),
			progressbar.OptionSetWriter(w),
			progressbar.OptionFullWidth(),
			progressbar.OptionSetPredictTime(false), // it would count every step alike
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetRenderBlankState(true),
		)
	}
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Begin shows what runs now.
func (p *Progress) Begin(name string, round, rounds int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name = strings.NewReplacer("/impl=", " ", "/", " ").Replace(name)
	p.now = fmt.Sprintf("round %d of %d, %s", round, rounds, name)
	if round == 0 {
		p.now = "to begin with: " + name
	}
	p.showLocked()
}

// End moves the bar.
func (p *Progress) End(expected time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over += expected
}

// Done says how long it took.
func (p *Progress) Done() {
	if p.bar != nil {
		_ = p.bar.Finish()
		fmt.Fprintln(p.w)
	}
	fmt.Fprintf(p.w, "measured in %v\n", time.Since(p.began).Round(time.Second))
}

// left is how long it will take from now on, as far as the past tells: what is over took longer or
// shorter than expected, and the rest will in the same way. Nothing over: as expected.
func (p *Progress) left(elapsed time.Duration) time.Duration {
	rest := max(0, p.total-p.over)
	if p.over < p.total/100 || p.over == 0 {
		return rest
	}
	return time.Duration(float64(rest) * float64(elapsed) / float64(p.over))
}

func (p *Progress) showLocked() {
	left := p.left(time.Since(p.began)).Round(time.Second)
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%-70.70s %v left", p.now, left))
		_ = p.bar.Set64(min(p.over, p.total).Milliseconds()) // the terminal's errors are nobody's business
		return
	}
	if time.Since(p.shown) < lineEvery {
		return
	}
	p.shown = time.Now()
	done := 100 * float64(p.over) / float64(max(p.total, 1))
	fmt.Fprintf(p.w, "%3.0f %%, %v left: %s\n", done, left, p.now)
}
