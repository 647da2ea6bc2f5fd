package browsertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batcherdebug"
)

var quiet = batcher.WithLogger(slog.New(slog.DiscardHandler))

// load is one batcher of each front end, and what adds to them.
type load struct {
	plain    *batcher.Batcher[int]
	sharded  *batcher.Sharded[string, int]
	combiner *batcher.Combiner[string, int]
}

func startLoad(t *testing.T) *load {
	t.Helper()
	calls := 0
	plain, err := batcher.New(func(context.Context, []int) error {
		if calls++; calls%4 == 0 {
			return errors.New("duplicate key value violates unique constraint \"orders_pkey\"")
		}
		return nil
	}, batcher.WithName("orders"), batcher.WithMaxSize(50), batcher.WithMaxDelay(30*time.Millisecond), quiet,
		batcher.WithRetry(2, func(int) time.Duration { return time.Millisecond }))
	require.NoError(t, err)
	sharded, err := batcher.NewSharded(func(context.Context, string, []int) error { return nil },
		batcher.WithName("events by tenant"), batcher.WithMaxDelay(20*time.Millisecond), quiet)
	require.NoError(t, err)
	combiner, err := batcher.NewCombiner(func(old, new int) int { return old + new },
		func(context.Context, map[string]int) error { return nil }, batcher.WithName("page views"), quiet)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, b := range []interface{ Close(context.Context) error }{plain, sharded, combiner} {
			assert.NoError(t, b.Close(context.Background()))
		}
	})
	return &load{plain, sharded, combiner}
}

func (l *load) page(t *testing.T) *batcherdebug.Page {
	t.Helper()
	p := batcherdebug.Handler(l.plain, l.sharded, l.combiner)
	t.Cleanup(p.Close)
	return p
}

// add adds n items to each.
func (l *load) add(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, l.plain.Add(context.Background(), i))
		require.NoError(t, l.sharded.Add(context.Background(), fmt.Sprint(i%7), i))
		require.NoError(t, l.combiner.Add(context.Background(), fmt.Sprint(i%7), i))
	}
}

func (l *load) settle(t *testing.T) {
	t.Helper()
	for _, b := range []interface{ Flush(context.Context) error }{l.plain, l.sharded, l.combiner} {
		_ = b.Flush(context.Background()) // some batches fail on purpose
	}
}

// run adds items at a pace until the test ends.
func (l *load) run(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			l.add(t, 20)
			time.Sleep(10 * time.Millisecond) // the pace of a load, which nothing waits for
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
}

// totals reads the counters of each card, by name.
const totals = `Array.from(document.querySelectorAll('.card'), card => Object.fromEntries(
	Array.from(card.querySelectorAll('.totals div'), d => [d.firstChild.textContent, d.lastChild.textContent])))`

func TestTheFiguresFollowARealLoad(t *testing.T) {
	l := startLoad(t)
	server := serve(t, l.page(t))
	tb := open(t)
	tb.show(server, 3)
	for range 2 {
		l.add(t, 350)
		l.settle(t)
		var want []string
		for _, b := range []batcher.Observed{l.plain, l.sharded, l.combiner} {
			s := b.Stats()
			want = append(want, fmt.Sprint(s.Added, s.Flushed, s.Failed, s.Merged, s.Retries))
		}
		tb.eventually(`JSON.stringify((` + totals + `).map(t =>
			['added', 'flushed', 'failed', 'merged', 'retries'].map(n => t[n].replaceAll(',', '')).join(' '))) ===
			'["` + strings.Join(want, `","`) + `"]'`)
	}
	assert.Equal(t, []string{"orders", "events by tenant", "page views"},
		eval[[]string](tb, `Array.from(document.querySelectorAll('h2'), h => h.textContent)`))
	assert.Equal(t, []string{"Batcher", "Sharded", "Combiner"},
		eval[[]string](tb, `Array.from(document.querySelectorAll('.front-end'), h => h.textContent)`))
	assert.Contains(t, eval[string](tb, `document.querySelector('.errors .text').textContent`), "orders_pkey")
	assert.Contains(t, eval[string](tb, `document.querySelector('.config').textContent`), "MaxDelay30.0 ms")
	tb.clean(server)
}

func TestTheChartsMove(t *testing.T) {
	l := startLoad(t)
	l.run(t)
	server := serve(t, l.page(t))
	tb := open(t)
	tb.show(server, 3)
	tb.eventually(`Array.from(document.querySelectorAll('.card')).every(card => {
		const line = card.querySelector('path.out').getAttribute('d');
		return line.split('L').length > 2 && card.querySelectorAll('.bars span').length > 0 && card.querySelector('.share').children.length > 0})`)
	tb.pictureAfter(30*time.Second, "load")
	assert.Regexp(t, `^items a second: now in \d.*, out \d`, eval[string](tb, `document.querySelector('svg').getAttribute('aria-label')`))
	tb.clean(server)
}

func TestHostileNamesAndErrorsAreText(t *testing.T) {
	hostile := "<img src=x onerror=\"window.hacked=1\">\n<script>window.hacked=1</script>\xff" + strings.Repeat("W", 600)
	b, err := batcher.New(func(context.Context, []int) error { return errors.New(hostile) }, batcher.WithName(hostile), quiet)
	require.NoError(t, err)
	defer func() { assert.NoError(t, b.Close(context.Background())) }()
	page := batcherdebug.Handler(b)
	defer page.Close()
	server := serve(t, page)
	assert.Error(t, b.AddWait(t.Context(), 1))
	tb := open(t)
	tb.size(360, 800, "light")
	tb.show(server, 1)
	tb.eventually("document.querySelectorAll('.errors li').length === 1")
	for _, selector := range []string{"h2", ".errors .text", ".verdict"} {
		assert.Contains(t, eval[string](tb, `document.querySelector('`+selector+`').textContent`),
			"<img src=x onerror=\"window.hacked=1\">\n<script>window.hacked=1</script>\uFFFDWWW", selector)
	}
	assert.False(t, eval[bool](tb, `"hacked" in window || document.querySelector('main img, main script') !== null`))
	assert.LessOrEqual(t, eval[float64](tb, "document.documentElement.scrollWidth"), 360.)
	tb.picture("hostile")
	tb.clean(server)
}

func TestManyCardsAndNone(t *testing.T) {
	l := startLoad(t)
	var many []batcher.Observed
	for range 20 {
		many = append(many, l.plain)
	}
	tb := open(t)
	page := batcherdebug.Handler(many...)
	defer page.Close()
	server := serve(t, page)
	tb.show(server, 20)
	tb.clean(server)

	none := batcherdebug.Handler()
	defer none.Close()
	tb.show(serve(t, none), 0)
	tb.eventually(`document.getElementById('empty').checkVisibility()`)
}

func TestTheBarTellsHowManyAreInTrouble(t *testing.T) {
	hold := make(chan struct{})
	down, err := batcher.New(func(context.Context, []int) error { return errors.New("dial tcp 10.0.0.7:5432: connection refused") },
		batcher.WithName("orders"), quiet)
	require.NoError(t, err)
	slow, err := batcher.New(func(context.Context, []int) error { <-hold; return nil }, batcher.WithName("events"),
		batcher.WithMaxSize(2000), batcher.WithQueueDepth(1), batcher.WithFlushTimeout(0), quiet)
	require.NoError(t, err)
	idle, err := batcher.New(func(context.Context, []int) error { return nil }, batcher.WithName("audit"), quiet)
	require.NoError(t, err)
	page := batcherdebug.Handler(down, slow, idle)
	defer page.Close()
	assert.Error(t, down.AddWait(t.Context(), 1))
	var adding sync.WaitGroup
	adding.Go(func() {
		for i := range 4001 {
			assert.NoError(t, slow.Add(context.Background(), i))
		}
	})
	tb := open(t)
	server := serve(t, page)
	tb.show(server, 3)
	tb.eventually(`document.getElementById('summary').innerText.replaceAll(/\s+/g, ' ') === '1 full 1 failing 1 idle'`)
	assert.Equal(t, "1 full · 1 failing · Batchers", eval[string](tb, "document.title"))
	assert.Contains(t, eval[string](tb, "document.querySelector('.verdict').textContent"), "connection refused")
	tb.pictureAfter(10*time.Second, "trouble")
	tb.size(360, 800, "dark")
	tb.picture("trouble-360")
	close(hold)
	adding.Wait()
	tb.eventually(`document.querySelectorAll('.card')[1].dataset.state === 'flowing'`)
	tb.eventually(`(() => { // the labels of the axis are whole, and stay within the chart
		const axis = document.querySelectorAll('.card')[1].querySelector('.axis');
		const shown = Array.from(axis.children).filter(e => getComputedStyle(e).visibility === 'visible');
		return shown.at(-1).textContent === '1k' && axis.scrollWidth <= axis.clientWidth + 1;
	})()`)
	tb.clean(server)
	for _, b := range []*batcher.Batcher[int]{down, slow, idle} {
		assert.NoError(t, b.Close(context.Background()))
	}
}
