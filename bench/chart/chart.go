// Package chart draws the report's pictures as SVG, each in a light and a dark version with a
// transparent background.
//
// Labels stand beside what they name; this library is in its own colour, the others in muted
// tones. Text is in whatever sans-serif font the reader has.
package chart

// The first step: what all charts share. Themes, text, the canvas.

import (
	"bytes"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Role is what a line or a bar stands for, and so how it is drawn.
type Role int

// The roles.
const (
	Rival  Role = iota // another library: a muted tone of its own
	ByHand             // a muted tone, dashed
	Limit              // grey, dotted
	Ours               // the one colour that stands out
	Slow               // the slow variant of a pair: grey
)

// Theme is the colours for one kind of page.
type Theme struct {
	Name string // the end of the file's name

	text, faint, grid, ours, slow color.Color
	muted                         []color.Color
}

// Light and Dark are the two versions of every chart.
var (
	Light = Theme{
		Name: "light",
		text: rgb(0x24292f), faint: rgb(0x59636e), grid: rgb(0xd8dee4), ours: rgb(0x0550ae), slow: rgb(0x9a8f86),
		muted: rgbs(0x8a5a44, 0x4f7a5b, 0x84609b, 0x94762c, 0x4d7c8a, 0xa05a6c, 0x6b7a3a, 0x7a6a5c, 0x5d6aa0, 0x9c6b3f,
			0x4a8577, 0x8d5f84),
	}
	Dark = Theme{
		Name: "dark",
		text: rgb(0xe6edf3), faint: rgb(0x9198a1), grid: rgb(0x30363d), ours: rgb(0x58a6ff), slow: rgb(0x8f8a84),
		muted: rgbs(0xc79a84, 0x8fb89a, 0xbfa0d2, 0xcdb26e, 0x8cb8c6, 0xd79aaa, 0xaeb97c, 0xb9aa9c, 0xa1acdb, 0xd7ab82,
			0x8cc2b5, 0xcaa0c2),
	}
)

// Themes are both.
var Themes = []Theme{Light, Dark}

func rgb(hex uint32) color.Color {
	return color.NRGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 0xff}
}

func rgbs(hex ...uint32) []color.Color {
	var all []color.Color
	for _, h := range hex {
		all = append(all, rgb(h))
	}
	return all
}

// colour is that of a role; n tells rivals from one another.
func (t Theme) colour(role Role, n int) color.Color {
	switch role {
	case Ours:
		return t.ours
	case Limit:
		return t.faint
	case Slow:
		return t.slow
	}
	return t.muted[n%len(t.muted)]
}

// The sizes of text, in points.
const (
	titleSize = 14
	labelSize = 11
	tickSize  = 10
)

// face is a style of text. Its widths are those of a font that has the widths of Helvetica and Arial.
func face(size vg.Length, bold bool, c color.Color) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = 3 // of x/image's font package: bold
	}
	return text.Style{Color: c, Font: f, XAlign: draw.XLeft, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

// newPlot is an empty plot in the colours of the theme.
func (t Theme) newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle = centred(face(titleSize, true, t.text))
	p.Title.Padding = vg.Points(12)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color = t.grid
		a.Tick.Color = t.grid
		a.Label.TextStyle.Font = face(labelSize, false, nil).Font
		a.Label.TextStyle.Color = t.text
		a.Label.Padding = vg.Points(6)
		a.Tick.Label.Font = face(tickSize, false, nil).Font
		a.Tick.Label.Color = t.faint
	}
	return p
}

// centred is the style of a title, as plot places it.
func centred(s text.Style) text.Style {
	s.XAlign, s.YAlign = draw.XCenter, draw.YTop
	return s
}

// render draws on a new canvas and returns the SVG.
func render(w, h vg.Length, paint func(draw.Canvas)) ([]byte, error) {
	c := vgsvg.New(w, h)
	const margin = vg.Length(6)
	paint(draw.Crop(draw.New(c), margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	return []byte(genericFont(b.String())), nil
}

// genericFont names fonts that readers have, instead of the one that was measured with.
func genericFont(svg string) string {
	return strings.ReplaceAll(svg, "font-family:Liberation Sans;", "font-family:Helvetica,Arial,'Liberation Sans',sans-serif;")
}
