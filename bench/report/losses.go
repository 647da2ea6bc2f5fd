package report

// The sixth step: what this library does not win. It is worked out from the results, so that a regression
// is reported without anybody's doing.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-4c1eaf8a/batcher/bench/contender"
)

// lossRow is one cell in which somebody is not beaten.
type lossRow struct {
	section, cell, ours string
	better, ties        []string
}

// weakRow is an exercise whose answer is not better in one figure.
type weakRow struct{ exercise, cell, slow, answer, verdict string }

// judge looks for rivals, libraries or written by hand, that our figure in this column does not beat. A limit
// is no rival: it does less.
func (p *Page) judge(section string, c column, impls []string) {
	contest := c.sample
	if c.contest != nil {
		contest = c.contest
	}
	if c.cell == "" {
		return
	}
	if contest(c.ours) == nil {
		if reason := c.failure(c.ours); reason != "" {
			p.losses = append(p.losses, lossRow{section: section, cell: c.cell, ours: "none: " + reason})
		}
		return
	}
	row := lossRow{section: section, cell: c.cell, ours: summary(contest(c.ours), c.unit)}
	for _, impl := range impls {
		theirs := contest(impl)
		kind := p.subject(impl).Kind
		if theirs == nil || kind != contender.Library && kind != contender.ByHand {
			continue
		}
		result := Compare(contest(c.ours), theirs, c.unit)
		figure := impl + " " + Figure(median(theirs), c.unit)
		switch result.Verdict {
		case Better:
			row.better = append(row.better, fmt.Sprintf("%s (%v)", figure, result))
		case Tie:
			row.ties = append(row.ties, fmt.Sprintf("%s (p=%.3f)", figure, result.P))
		case Equal:
			row.ties = append(row.ties, figure+" (equal)")
		}
	}
	if len(row.better)+len(row.ties) > 0 {
		p.losses = append(p.losses, row)
	}
}

// notWon is the section of the report.
func (p *Page) notWon() string {
	t := table{head: []string{"", "ours", "better than ours", "no difference"}}
	for _, l := range p.losses {
		t.add(l.section+": "+l.cell, l.ours, strings.Join(l.better, "; "), strings.Join(l.ties, "; "))
	}
	var b strings.Builder
	b.WriteString("## What this library does not win\n\n" +
		"Every cell of the tables above in which another library, or what people write by hand, is better than " +
		"ours, or no difference was found. The list is made by the program from the results.\n\n")
	if len(p.losses) == 0 {
		b.WriteString("Nothing, in what was measured so far.\n\n")
	}
	b.WriteString(t.String())
	b.WriteString(p.notHelped())
	return b.String()
}

// notHelped lists the exercises' answers that are not better than the slow variant.
func (p *Page) notHelped() string {
	if len(p.weak) == 0 {
		return ""
	}
	slices.SortStableFunc(p.weak, func(a, b weakRow) int { return strings.Compare(a.exercise, b.exercise) })
	t := table{head: []string{"exercise", "", "slow", "answer", ""}}
	for _, w := range p.weak {
		t.add(w.exercise, w.cell, w.slow, w.answer, w.verdict)
	}
	return "The exercises' answers that are not better than the slow variant, in these figures:\n\n" + t.String()
}
