package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	lines = Lines{Title: "Cost", X: "producers", Y: "ns per item", Lines: []Line{
		{"batcher", Ours, []float64{1, 8, 64}, []float64{9, 12, 14}},
		{"rival & sons", Rival, []float64{1, 8, 64}, []float64{90, 120, 14.01}},
		{"mutex", ByHand, []float64{1, 8}, []float64{9, 20}},
		{"lock", Limit, []float64{1}, []float64{5}},
	}}
	bars  = Bars{Title: "Allocations", X: "per item", Bars: []Bar{{"batcher", Ours, 0, "0"}, {"rival", Rival, 2.5, "2.50"}}}
	hists = Histograms{Title: "Delay", X: "ms", Y: "share", Low: 0, High: 20, Bins: 40, Panels: []Panel{
		{"slow", "a ticker", Slow, []float64{1, 2, 30, -4}}, {"fast", "a timer", Ours, []float64{10, 10.1}},
	}}
)

// drawing is any of the charts.
type drawing interface{ SVG(Theme) ([]byte, error) }

func TestEveryChartIsWellFormedAndHasItsTexts(t *testing.T) {
	for name, c := range map[string]struct {
		drawing
		texts []string
	}{
		"lines": {lines, []string{"Cost", "producers", "ns per item", "batcher", "rival & sons", "mutex", "lock", "1", "8", "64"}},
		"bars":  {bars, []string{"Allocations", "per item", "rival", "2.50"}},
		"hists": {hists, []string{"Delay", "ms", "share", "slow", "a ticker", "fast", "a timer"}},
	} {
		for _, theme := range Themes {
			t.Run(name+" "+theme.Name, func(t *testing.T) {
				svg, err := c.SVG(theme)
				require.NoError(t, err)
				texts := textsOf(t, svg)
				for _, want := range c.texts {
					assert.Contains(t, texts, want)
				}
				assert.NotContains(t, string(svg), "font-family:Liberation", "fonts that readers do not have")
				assert.Contains(t, string(svg), "sans-serif")
				assert.NotContains(t, strings.ToLower(string(svg)), "fill:#ffffff", "the background is the page's")
			})
		}
	}
}

// textsOf reads the whole document and returns what stands in its text elements.
func textsOf(t *testing.T, svg []byte) []string {
	t.Helper()
	var texts []string
	decoder := xml.NewDecoder(strings.NewReader(string(svg)))
	for inText := false; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
		case xml.CharData:
			if s := strings.TrimSpace(string(token)); inText && s != "" {
				texts = append(texts, s)
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func TestTheThemesDifferInTheirColours(t *testing.T) {
	light, err := bars.SVG(Light)
	require.NoError(t, err)
	dark, err := bars.SVG(Dark)
	require.NoError(t, err)
	assert.Contains(t, strings.ToLower(string(light)), "#0550ae")
	assert.Contains(t, strings.ToLower(string(dark)), "#58a6ff")
	assert.NotContains(t, strings.ToLower(string(dark)), "#0550ae")
}

func TestTheSameFiguresGiveTheSamePicture(t *testing.T) {
	for _, d := range []drawing{lines, bars, hists} {
		a, err := d.SVG(Light)
		require.NoError(t, err)
		b, err := d.SVG(Light)
		require.NoError(t, err)
		assert.Equal(t, string(a), string(b))
	}
}

func TestWhatCannotBeDrawnIsAnError(t *testing.T) {
	for name, d := range map[string]drawing{
		"no lines":          Lines{},
		"a line of nothing": Lines{Lines: []Line{{Name: "x"}}},
		"a value of zero":   Lines{Lines: []Line{{Name: "x", X: []float64{1}, Y: []float64{0}}}},
		"an x of zero":      Lines{Lines: []Line{{Name: "x", X: []float64{0}, Y: []float64{1}}}},
		"unequal lengths":   Lines{Lines: []Line{{Name: "x", X: []float64{1, 2}, Y: []float64{1}}}},
		"no bars":           Bars{},
		"a negative bar":    Bars{Bars: []Bar{{Value: -1}}},
		"a bar of NaN":      Bars{Bars: []Bar{{Value: math.NaN()}}},
		"an infinite bar":   Bars{Bars: []Bar{{Value: math.Inf(1)}}},
		"no panels":         Histograms{High: 1, Bins: 1},
		"an empty panel":    Histograms{High: 1, Bins: 1, Panels: []Panel{{Name: "x"}}},
		"no bins":           Histograms{High: 1, Panels: hists.Panels},
		"nothing between":   Histograms{Low: 1, High: 1, Bins: 3, Panels: hists.Panels},
	} {
		t.Run(name, func(t *testing.T) {
			svg, err := d.SVG(Light)
			assert.Error(t, err)
			assert.Nil(t, svg)
		})
	}
}

func TestBarsOfNothingAreDrawn(t *testing.T) {
	_, err := Bars{Bars: []Bar{{Name: "a"}, {Name: "b"}}}.SVG(Dark)
	assert.NoError(t, err)
}

func TestLabelsAreMovedApartInTheirOrder(t *testing.T) {
	got := spread([]float64{50, 50, 10, 52, 100}, 10, 0, 100)
	order := slices.Sorted(slices.Values(got))
	for i := 1; i < len(order); i++ {
		assert.GreaterOrEqual(t, order[i]-order[i-1], 9.99)
	}
	assert.Equal(t, []float64{10, 100}, []float64{got[2], got[4]}, "those with room stay")
	assert.Less(t, got[0], got[3], "the order stays")
	assert.Less(t, got[1], got[3])
}

func TestLabelsStayWithinTheChart(t *testing.T) {
	for _, v := range spread([]float64{0, 0, 0, 0}, 10, 0, 30) {
		assert.True(t, v >= -0.01 && v <= 30.01, "%v", v)
	}
}

func TestValuesOutsideCountInTheOuterBins(t *testing.T) {
	h := Histograms{Low: 0, High: 10, Bins: 5}
	assert.Equal(t, []float64{50, 0, 0, 0, 50}, h.shares([]float64{-3, 1.9, 8, 400}))
}

func TestTicksAreRoundNumbers(t *testing.T) {
	var got []float64
	for _, tick := range oneTwoFive(4, 120, nil) {
		got = append(got, tick.Value)
	}
	assert.Equal(t, []float64{5, 10, 20, 50, 100}, got)
	got = nil
	for _, tick := range few(0, 20, 8) {
		got = append(got, tick.Value)
	}
	assert.Equal(t, []float64{0, 5, 10, 15, 20}, got)
}
