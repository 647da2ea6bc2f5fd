package chart

// Horizontal bars, each with its name before it and its value behind it.

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a chart of one figure of several things.
type Bars struct {
	Title, X string
	Bars     []Bar // from top to bottom
}

// Bar is one of them. Value is not negative; Label is the value for people.
type Bar struct {
	Name  string
	Role  Role
	Value float64
	Label string
}

// SVG draws the chart.
func (b Bars) SVG(t Theme) ([]byte, error) {
	if len(b.Bars) == 0 {
		return nil, errNothing
	}
	p := t.newPlot(b.Title, b.X, "")
	names, most := make([]string, len(b.Bars)), 0.0
	for i, bar := range b.Bars {
		if bar.Value < 0 || math.IsNaN(bar.Value) || math.IsInf(bar.Value, 0) {
			return nil, fmt.Errorf("chart: bar %q has the value %v", bar.Name, bar.Value)
		}
		names[len(names)-1-i] = bar.Name + "\u2002" // from bottom to top; the blank keeps off the bar
		most = max(most, bar.Value)
	}
	p.NominalY(names...)
	p.Y.Tick.Label.Font = face(labelSize, false, nil).Font
	p.Y.Tick.Label.Color = t.text
	p.Y.Tick.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	p.X.Min, p.X.Max = 0, most*1.12
	if most == 0 {
		p.X.Max = 1
	}
	p.X.Tick.Marker = few(0, p.X.Max, 6)
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = nil, t.grid
	grid.Vertical.Width = vg.Points(0.5)
	p.Add(grid, barPlotter{b, t})
	height := vg.Points(20*float64(len(names)) + 92)
	return render(vg.Points(680), height, func(c draw.Canvas) {
		p.Draw(draw.Crop(c, 0, -vg.Points(24), 0, 0))
	})
}

// barPlotter draws the bars and their labels.
type barPlotter struct {
	Bars
	theme Theme
}

// Plot implements plot.Plotter.
func (b barPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for i, bar := range b.Bars.Bars {
		col := b.theme.slow
		if bar.Role == Ours {
			col = b.theme.ours
		}
		y, half := trY(float64(len(b.Bars.Bars)-1-i)), vg.Points(6.5)
		left, right := trX(0), trX(bar.Value)
		c.FillPolygon(col, []vg.Point{{X: left, Y: y - half}, {X: right, Y: y - half}, {X: right, Y: y + half}, {X: left, Y: y + half}})
		c.FillText(face(labelSize, bar.Role == Ours, b.theme.text), vg.Point{X: right + vg.Points(4), Y: y + vg.Points(1)}, bar.Label)
	}
}
