package browsertest

// Windows, eyes, ears and keyboards of all kinds.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batcherdebug"
)

func TestWithTheKeyboardAlone(t *testing.T) {
	l := startLoad(t)
	server := serve(t, l.page(t))
	tb := open(t)
	tb.show(server, 3)
	var reached []string
	for range 10 {
		tb.do(chromedp.KeyEvent(kb.Tab))
		reached = append(reached, eval[string](tb, `document.activeElement.textContent`))
		assert.NotEqual(t, "none", eval[string](tb, `getComputedStyle(document.activeElement).outlineStyle`), "the focus is seen")
	}
	assert.Equal(t, []string{"3 idle", "Pause", "Numbers", "JSON"}, reached[:4])
	for _, name := range reached[4:] {
		assert.Regexp(t, "^(Errors|Configuration)", name)
	}
	tb.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('.config summary').focus()`), chromedp.KeyEvent(kb.Enter))
	assert.True(t, eval[bool](tb, `document.activeElement.closest('details').open`))

	tb.do(chromedp.Evaluate[chromedp.Void](`document.getElementById('pause').focus()`), chromedp.KeyEvent(kb.Enter))
	tb.until("paused")
	before := eval[[]map[string]string](tb, totals)
	l.add(t, 10)
	l.settle(t)
	tb.do(chromedp.KeyEvent(" "))
	tb.until("live")
	tb.eventually(`(` + totals + `)[0].added === '10'`)
	assert.Equal(t, "0", before[0]["added"])

	tb.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)) // Numbers
	assert.Equal(t, "true", eval[string](tb, `document.activeElement.getAttribute('aria-pressed')`))
	assert.True(t, eval[bool](tb, `document.querySelector('.charts').offsetHeight === 0`))
	assert.Contains(t, eval[string](tb, `document.querySelector('.tables').innerText`), "in/s")
	tb.clean(server)
}

// contrasts are those of all colours of text with what is behind them.
const contrasts = `(() => {
	const style = getComputedStyle(document.documentElement);
	const luminance = name => {
		const hex = style.getPropertyValue(name).trim();
		const part = at => { const c = parseInt(hex.slice(at, at + 2), 16) / 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
		return .2126 * part(1) + .7152 * part(3) + .0722 * part(5);
	};
	const found = {};
	for (const text of ['--text', '--faint', '--good', '--warn', '--bad', '--calm', '--in', '--out', '--held'])
		for (const back of ['--card', '--page']) {
			const [a, b] = [luminance(text), luminance(back)].sort((x, y) => y - x);
			found[text + ' on ' + back] = (a + .05) / (b + .05);
		}
	return found;
})()`

func TestSmallAndLargeWindowsInLightAndDark(t *testing.T) {
	l := startLoad(t)
	l.run(t)
	server := serve(t, l.page(t))
	tb := open(t)
	tb.show(server, 3)
	tb.eventually(`document.querySelectorAll('.card[data-state=flowing]').length >= 1`)
	backgrounds := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 768, 1280, 1920} {
			tb.size(width, 900, scheme)
			assert.LessOrEqual(t, eval[int64](tb, "document.documentElement.scrollWidth"), width, "no sideways scrolling")
			tb.picture(fmt.Sprintf("%d-%s", width, scheme))
		}
		for colours, contrast := range eval[map[string]float64](tb, contrasts) {
			assert.GreaterOrEqual(t, contrast, 4.5, "%s, %s", scheme, colours)
		}
		backgrounds[eval[string](tb, "getComputedStyle(document.body).backgroundColor")] = true
	}
	assert.Len(t, backgrounds, 2)
	tb.size(360, 900, "dark")
	tb.do(chromedp.Click("#numbers"))
	assert.LessOrEqual(t, eval[int64](tb, "document.documentElement.scrollWidth"), int64(360), "nor with tables")
	tb.picture("360-numbers")
	assert.Empty(t, eval[[]string](tb, broken))
	tb.clean(server)
}

func TestEqualNamesAreToldApart(t *testing.T) {
	l := startLoad(t)
	nameless, err := batcher.New(func(context.Context, []int) error { return nil }, quiet)
	require.NoError(t, err)
	defer func() { assert.NoError(t, nameless.Close(context.Background())) }()
	page := batcherdebug.Handler(l.plain, nameless, l.sharded, nameless, l.plain)
	defer page.Close()
	tb := open(t)
	tb.show(serve(t, page), 5)
	want := []string{"orders · 1", "(no name) · 2", "events by tenant", "(no name) · 4", "orders · 5"}
	assert.Equal(t, want, eval[[]string](tb, `Array.from(document.querySelectorAll('h2'), e => e.textContent)`))
	assert.Equal(t, want, eval[[]string](tb, `Array.from(document.querySelectorAll('.card'), e => e.getAttribute('aria-label'))`))
	for i, label := range eval[[]string](tb, `Array.from(document.querySelectorAll('.config summary'), e => e.ariaLabel)`) {
		assert.Equal(t, "Configuration, "+want[i], label)
	}
}

// broken finds figures in tables that go over two lines.
const broken = `Array.from(document.querySelectorAll('td, tbody th')).filter(cell => {
	const range = document.createRange();
	range.selectNodeContents(cell);
	return new Set(Array.from(range.getClientRects(), r => r.top)).size > 1;
}).map(cell => cell.textContent)`

func TestALinkToACardLeadsToItsHeading(t *testing.T) {
	hold := make(chan struct{})
	slow, err := batcher.New(func(context.Context, []int) error { <-hold; return nil }, quiet, batcher.WithMaxSize(1),
		batcher.WithQueueDepth(1), batcher.WithFlushTimeout(0))
	require.NoError(t, err)
	down, err := batcher.New(func(context.Context, []int) error { return errors.New("down") }, quiet)
	require.NoError(t, err)
	l := startLoad(t)
	page := batcherdebug.Handler(l.combiner, slow, l.plain, l.sharded, l.plain, down, l.plain, l.plain)
	defer page.Close()
	require.Error(t, down.AddWait(t.Context(), 1))
	for range 2 {
		require.NoError(t, slow.Add(t.Context(), 1))
	}
	tb := open(t)
	server := serve(t, page)
	for _, width := range []int64{360, 600, 1280} {
		tb.size(width, 640, "light")
		tb.show(server, 8)
		tb.eventually(`document.querySelector('#summary a[data-state=failing]').checkVisibility()`)
		assert.Equal(t, "1 failing, 1 behind", eval[string](tb, `document.getElementById('alarm').textContent`), "it is read aloud")
		tb.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#summary a[data-state=failing]').focus()`), chromedp.KeyEvent(kb.Enter))
		tb.eventually(`(() => {
			const bar = document.querySelector('.bar').getBoundingClientRect(), h2 = document.querySelector('#card-5 h2').getBoundingClientRect();
			return location.hash === '#card-5' && h2.top >= bar.bottom && h2.bottom <= innerHeight })()`)
	}
	tb.clean(server)
	close(hold)
	assert.NoError(t, slow.Close(context.Background()))
	assert.NoError(t, down.Close(context.Background()))
}

// cut finds what is wider than its place.
const cut = `(selector => Array.from(document.querySelectorAll(selector)).filter(e =>
	getComputedStyle(e).visibility === 'visible' && e.scrollWidth > e.clientWidth).map(e => e.textContent))`

func TestFiguresAreWhole(t *testing.T) {
	b, err := batcher.New(func(context.Context, []int) error { return nil }, quiet, batcher.WithName("a"),
		batcher.WithMaxSize(5000), batcher.WithQueueDepth(20000), batcher.WithWorkers(128), batcher.WithMaxDelay(time.Hour))
	require.NoError(t, err)
	page := batcherdebug.Handler(b)
	defer page.Close()
	for _, n := range []int{1, 3, 200, 1500, 5000} {
		_, err := b.AddAll(t.Context(), make([]int, n))
		require.NoError(t, err)
		require.NoError(t, b.Flush(t.Context()))
	}
	tb := open(t)
	server := serve(t, page)
	for _, width := range []int64{360, 768, 1280} {
		tb.size(width, 800, "light")
		tb.show(server, 1)
		tb.eventually(`document.querySelectorAll('.axis span').length === 13`)
		for _, selector := range []string{".figures dd", ".totals dd", ".axis", ".config dd"} {
			assert.Empty(t, eval[[]string](tb, cut+`('`+selector+`')`), "%s at %d", selector, width)
		}
	}
	assert.Equal(t, "mean 1,341", eval[string](tb, `document.querySelectorAll('figcaption .most')[2].textContent`))
	assert.NoError(t, b.Close(context.Background()))
}
