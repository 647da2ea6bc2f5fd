package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFiguresAreReplacedBetweenTheirMarks(t *testing.T) {
	const before = "# Exercise\n\ntext\n\n<!-- figures: begin -->\n<!-- figures: end -->\n\n## What was learned\n"
	once, err := ReplaceFigures(before, "| a |\n|---|\n\n")
	require.NoError(t, err)
	assert.Equal(t, "# Exercise\n\ntext\n\n<!-- figures: begin -->\n| a |\n|---|\n<!-- figures: end -->\n\n## What was learned\n", once)
	twice, err := ReplaceFigures(once, "| a |\n|---|\n\n")
	require.NoError(t, err)
	assert.Equal(t, once, twice, "doing it again changes nothing")
	other, err := ReplaceFigures(once, "new")
	require.NoError(t, err)
	assert.Equal(t, "# Exercise\n\ntext\n\n<!-- figures: begin -->\nnew\n<!-- figures: end -->\n\n## What was learned\n", other)
}

func TestMarksMayBeginAndEndTheDocument(t *testing.T) {
	got, err := ReplaceFigures(FiguresBegin+"\n"+FiguresEnd, "x")
	require.NoError(t, err)
	assert.Equal(t, FiguresBegin+"\nx\n"+FiguresEnd, got)
}

func TestADocumentWithoutItsMarksIsRefused(t *testing.T) {
	const begin, end = FiguresBegin + "\n", FiguresEnd + "\n"
	for document, fault := range map[string]string{
		"":                        "0 times",
		begin:                     "0 times",
		end:                       "0 times",
		begin + begin + end:       "2 times",
		begin + end + end:         "2 times",
		end + begin:               "is before",
		"text " + begin + end:     "line by itself",
		begin + FiguresEnd + " x": "line by itself",
	} {
		got, err := ReplaceFigures(document, "x")
		assert.ErrorContains(t, err, fault, "%q", document)
		assert.Empty(t, got)
	}
}
