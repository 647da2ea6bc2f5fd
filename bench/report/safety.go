package report

// The table of what happens where it goes wrong.

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// Trial is how one contender came through one probe.
type Trial struct {
	Probe, Impl string
	Verdict     string // one of the Verdicts below
	Detail      string // what was seen, one line
}

// The verdicts of a trial. Not applicable: the contender has not what the probe asks about, and
// says so.
const (
	Passed        = "passed"
	Failed        = "failed"
	NotApplicable = "n/a"
)

// Line is the trial in a results file.
func (t Trial) Line() string {
	parts := []string{"trial", t.Probe, t.Impl, t.Verdict}
	if t.Detail != "" {
		parts = append(parts, t.Detail)
	}
	return strings.Join(parts, " | ")
}

// ProbeLine is a probe's description in a results file.
func ProbeLine(name, description string) string {
	return strings.Join([]string{"probe", name, description}, " | ")
}

// trials reads them back, and the probes' descriptions in their order.
func trials(lines []string) (all []Trial, probes [][2]string) {
	for _, line := range lines {
		parts := strings.SplitN(line, " | ", 5)
		switch {
		case parts[0] == "trial" && len(parts) >= 4:
			parts = append(parts, "")
			all = append(all, Trial{parts[1], parts[2], parts[3], strings.TrimSuffix(parts[4], " |")})
		case parts[0] == "probe" && len(parts) >= 3:
			probes = append(probes, [2]string{parts[1], strings.Join(parts[2:], " | ")})
		}
	}
	return all, probes
}

// safety has a row for each contender and a column for each probe.
func (p *Page) safety(s *Set) string {
	all, probes := trials(s.Text)
	t := table{head: []string{""}}
	var impls []string
	for _, trial := range all {
		if !slices.Contains(impls, trial.Impl) {
			impls = append(impls, trial.Impl)
		}
	}
	for _, probe := range probes {
		t.head = append(t.head, probe[0])
	}
	for _, impl := range p.order(impls, column{sample: func(string) *benchmath.Sample { return nil }}) {
		row := []string{p.label(impl)}
		for _, probe := range probes {
			row = append(row, p.trial(all, probe[0], impl))
		}
		t.add(row...)
	}
	p.judgeSafety(all, probes)
	var b strings.Builder
	b.WriteString("What happens where it goes wrong. Each probe runs in a process of its own; what was seen is in the notes.\n\n" +
		origin(s) + t.String())
	for _, probe := range probes {
		fmt.Fprintf(&b, "- %s: %s\n", probe[0], probe[1])
	}
	return b.String() + "\n"
}

// trial is one cell.
func (p *Page) trial(all []Trial, probe, impl string) string {
	i := slices.IndexFunc(all, func(t Trial) bool { return t.Probe == probe && t.Impl == impl })
	if i < 0 {
		return ""
	}
	verdict := all[i].Verdict
	if verdict == Failed {
		verdict = "**" + verdict + "**"
	}
	if all[i].Detail == "" || verdict == Passed {
		return verdict
	}
	return verdict + p.notes.ref(fmt.Sprintf("%s, %s: %s.", impl, probe, strings.TrimSuffix(all[i].Detail, ".")))
}

// judgeSafety enters the probes that this library does not pass, and who does.
func (p *Page) judgeSafety(all []Trial, probes [][2]string) {
	for _, probe := range probes {
		row := lossRow{section: "safety", cell: probe[0]}
		for _, t := range all {
			if t.Probe != probe[0] {
				continue
			}
			if t.Impl == p.ours() && t.Verdict != Passed {
				row.ours = t.Verdict + ": " + t.Detail
			} else if t.Verdict == Passed {
				row.better = append(row.better, t.Impl)
			}
		}
		if row.ours != "" {
			p.losses = append(p.losses, row)
		}
	}
}
