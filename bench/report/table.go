package report

// The fourth step: Markdown.

import (
	"fmt"
	"strings"
)

// table is rows under a head.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String is the table in Markdown, with an empty line behind, or "" if it has no rows.
func (t *table) String() string {
	if len(t.rows) == 0 {
		return ""
	}
	var b strings.Builder
	writeRow(&b, t.head)
	b.WriteString("|" + strings.Repeat("---|", len(t.head)) + "\n")
	for _, row := range t.rows {
		writeRow(&b, row)
	}
	b.WriteString("\n")
	return b.String()
}

func writeRow(b *strings.Builder, cells []string) {
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}

// footnotes are numbered in the order in which they are first used.
type footnotes struct {
	numbers map[string]int
	texts   []string
}

// ref returns the mark of a note: "[^3]". The same text has the same number.
func (f *footnotes) ref(text string) string {
	if f.numbers == nil {
		f.numbers = map[string]int{}
	}
	n, ok := f.numbers[text]
	if !ok {
		f.texts = append(f.texts, text)
		n = len(f.texts)
		f.numbers[text] = n
	}
	return fmt.Sprintf("[^%d]", n)
}

// String is the list of all notes.
func (f *footnotes) String() string {
	var b strings.Builder
	for i, text := range f.texts {
		fmt.Fprintf(&b, "[^%d]: %s\n", i+1, text)
	}
	return b.String()
}
