package report

// The last step: all of it in one document.

import (
	"fmt"
	"strings"
)

// section is a part of the page.
type section struct {
	name, title string
	render      func(*Page, *Set) string
}

var sections = []section{
	{"throughput", "Throughput", (*Page).throughput},
	{"slow", "A slow sink", (*Page).slow},
	{"delay", "Accuracy of the delay", (*Page).delay},
	{"eager", "A lone item", (*Page).eager},
	{"idle", "Idle instances: processor time", (*Page).idle},
	{"memory", "Idle instances: memory", (*Page).memory},
	{"safety", "Safety", (*Page).safety},
	{"exercises", "The exercises", (*Page).exercises},
}

const preface = `# Results

Written by ` + "`go run ./bench`" + ` from the files in ` + "`docs/results`" + `, which benchstat reads as well; not to be edited by hand.

All contenders of a section ran in turn, in rounds, in a new random order in each round, under the same settings. A figure
is the median of the rounds, with the half width of the interval that holds the true median with 95 % confidence. Two
figures differ if the Mann-Whitney test says p < 0.05; otherwise it is a tie, "no difference". Even so, a few percent between two programs
may come from nothing but the places of their code in memory: only ratios that are clearly off 1 say something.
Nanoseconds are those of one machine; ratios travel better.

**Bold** is this library, *italic* a limit: what the machine allows without a batcher, doing less than any of them. "By hand" is what people
write themselves. What a library does more than the others, or cannot do, is said in its notes.

`

// Markdown renders the page.
func (p *Page) Markdown() string {
	p.notes, p.losses, p.weak = footnotes{}, nil, nil
	var b strings.Builder
	b.WriteString(preface)
	for _, s := range sections {
		set := p.Sets[s.name]
		fmt.Fprintf(&b, "## %s\n\n", s.title)
		if set == nil {
			b.WriteString("Not measured yet.\n\n")
			continue
		}
		b.WriteString(s.render(p, set))
	}
	b.WriteString(p.notWon())
	b.WriteString(p.notes.String())
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// picture shows a chart in its light or its dark version, if there is one.
func (p *Page) picture(name, alt string) string {
	if !p.Charts[name] {
		return ""
	}
	return fmt.Sprintf("<picture>\n"+
		"  <source media=\"(prefers-color-scheme: dark)\" srcset=\"charts/%s-dark.svg\">\n"+
		"  <img alt=\"%s\" src=\"charts/%s-light.svg\">\n"+
		"</picture>\n\n", name, alt, name)
}
