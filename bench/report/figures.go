package report

// Figures in other documents, between two marks.

import (
	"fmt"
	"strings"
)

// The marks between which an exercise's README has its figures.
const (
	FiguresBegin = "<!-- figures: begin -->"
	FiguresEnd   = "<!-- figures: end -->"
)

// ReplaceFigures returns the document with block between the marks, instead of what was there. An error
// means that the document is not as it should be: each mark must be there once, on a line by
// itself, the begin before the end.
func ReplaceFigures(document, block string) (string, error) {
	for _, mark := range []string{FiguresBegin, FiguresEnd} {
		if n := strings.Count(document, mark); n != 1 {
			return "", fmt.Errorf("%q is there %d times where it should be once", mark, n)
		}
		if !strings.Contains("\n"+document+"\n", "\n"+mark+"\n") {
			return "", fmt.Errorf("%q is not on a line by itself", mark)
		}
	}
	begin, end := strings.Index(document, FiguresBegin), strings.Index(document, FiguresEnd)
	if end < begin {
		return "", fmt.Errorf("%q is before %q", FiguresEnd, FiguresBegin)
	}
	return document[:begin] + FiguresBegin + "\n" + strings.TrimSpace(block) + "\n" + document[end:], nil
}
