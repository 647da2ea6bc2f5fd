package browsertest

// Parts of the scripts, called as they are, for what would take minutes otherwise.

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// feed makes a card, and gives it snapshots of an idle batcher at these times, each with one item more.
const feed = `((...times) => {
	const card = new Card(99), b = structuredClone(latest.batchers[0]);
	for (const at of times) {
		b.stats.added++;
		b.stats.age_seconds = at;
		card.take(at, structuredClone(b), 'x');
	}
	return card;
})`

func TestTheHistoryIsOfTimeAndNotOfSnapshots(t *testing.T) {
	l := startLoad(t)
	tb := open(t)
	tb.show(serve(t, l.page(t)), 3)
	minutes := func(times string) string {
		return eval[string](tb, feed+`(`+times+`).find('figcaption .most').textContent`)
	}
	assert.Equal(t, "1 min", minutes(`0`))
	assert.Equal(t, "↑ 1.1 · 1.6 min", minutes(`...Array.from({ length: 100 }, (_, i) => i)`))
	assert.Equal(t, "↑ 0.5 · 3.3 min", minutes(`...Array.from({ length: 100 }, (_, i) => 2 * i)`), "while polling")
	assert.Equal(t, "↑ 1.1 · 5 min", minutes(`...Array.from({ length: 1000 }, (_, i) => i)`))
	assert.Equal(t, 301, eval[int](tb, feed+`(...Array.from({ length: 1000 }, (_, i) => i)).history.length`))
	assert.Equal(t, "1 min", minutes(`0, 1, 2, 10000`), "after a pause")
}

func TestWhatIsSilentHasNoRates(t *testing.T) {
	l := startLoad(t)
	tb := open(t)
	tb.show(serve(t, l.page(t)), 3)
	rates := eval[[]string](tb, `(() => {
		const card = `+feed+`(0), b = structuredClone(latest.batchers[0]), shown = [];
		for (const [at, state, added] of [[1, 'flowing', 11], [2, 'silent', 11], [3, 'silent', 11], [4, 'flowing', 999], [5, 'flowing', 1005]]) {
			Object.assign(b, { state });
			Object.assign(b.stats, { added, age_seconds: state === 'silent' ? 1 : at });
			card.take(at, structuredClone(b), 'x');
			shown.push(card.find('.figures dd').textContent);
		}
		card.showTables(b);
		return shown;
	})()`)
	assert.Equal(t, []string{"10", "–", "–", "–", "6.0"}, rates, "nor the sum of all that time when it answers again")
	assert.Equal(t, "0 rows, held –, queue – of 2", eval[string](tb, `(() => { // one that was never heard
		const card = new Card(1), b = structuredClone(latest.batchers[0]);
		b.state = 'silent';
		b.stats.age_seconds = 0;
		card.showNumbers(true);
		card.take(1, b, 'x');
		const figures = card.root.querySelectorAll('.figures dd');
		return card.find('.tables tbody').rows.length + ' rows, held ' + figures[2].textContent + ', queue ' + figures[4].textContent;
	})()`))
}

func TestDurationsAreDrawnWhileFlushesEnd(t *testing.T) {
	l := startLoad(t)
	tb := open(t)
	tb.show(serve(t, l.page(t)), 3)
	assert.Equal(t, []string{"–", "7.00 ms", "–"}, eval[[]string](tb, `(() => {
		const card = new Card(1), b = structuredClone(latest.batchers[0]);
		b.recent.flush_p50_seconds = .007;
		[5, 6, 6].forEach((attempts, i) => {
			Object.assign(b.stats, { attempts, age_seconds: i + 1 });
			card.take(i + 1, structuredClone(b), 'x');
		});
		return card.history.map(p => time(p.p50));
	})()`))
}

func TestLinesHaveGapsAndDots(t *testing.T) {
	l := startLoad(t)
	tb := open(t)
	tb.show(serve(t, l.page(t)), 3)
	for call, want := range map[string]string{
		`outline([0, 60], [1, 3], 60, 3, false)`:                                        "M0.0 48.0h0L300.0 2.0",
		`outline([0, 60], [1, 3], 60, 3, true)`:                                         "M0.0 48.0h0L300.0 2.0L300.0 72L0.0 72Z",
		`outline([0, 30, 60], [0, null, 9], 60, 3, false)`:                              "M0.0 71.0h0M300.0 2.0h0",
		`outline([0, 60], [null, null], 60, 1, true)`:                                   "",
		`outline([0], [], 60, 1, false)`:                                                "",
		`outline([0, 10, 20, 30], [1, 1, null, 1], 60, 1, false)`:                       "M150.0 2.0h0L200.0 2.0M300.0 2.0h0",
		`[7, 2.333, 99.96, 1000].map(mean).join(' ')`:                                   "7 2.33 100 1,000",
		`[1, 512, 1024, 4096, 2 ** 20].map(short).join(' ')`:                            "1 512 1k 4k 1M",
		`[0, 5e-7, .00123, 12.34, 90, 7200].map(time).join(', ')`:                       "0, 500 ns, 1.23 ms, 12.3 s, 1.50 min, 2.00 h",
		`[0, 999999, 12345678, 2e9, 12345678901234, 1e15].map(count).join(', ')`:        "0, 999,999, 12.35 M, 2.000 G, 12,346 G, ∞",
		`[null, 0, 1.25, 12.5, 9999, 12345, 999600, 1234567, 2e9].map(rate).join(', ')`: "–, 0, 1.3, 13, 9999, 12.3 k, 1.00 M, 1.23 M, 2.00 G",
		`/\d{1,2}.\d\d.\d\d/.test(moment(new Date())) + ''`:                             "true",
		`/2001/.test(moment('2001-02-03T04:05:06Z')) + ''`:                              "true",
		`/20\d\d/.test(moment(new Date().toISOString())) ? 'day' : ''`:                  "",
		`state('x', 'y') || document.getElementById('connection').dataset.state`:        "x",
	} {
		assert.Equal(t, want, eval[string](tb, call), call)
	}
}
