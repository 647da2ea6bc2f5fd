package chart

// Histograms of the same thing under each other, on one scale.

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Histograms compares distributions.
type Histograms struct {
	Title, X, Y string
	Low, High   float64 // what the bins span; what lies outside counts in the first or the last one
	Bins        int
	Panels      []Panel
}

// Panel is one distribution.
type Panel struct {
	Name   string
	Note   string // behind the name: its percentiles, say
	Role   Role
	Values []float64
}

// SVG draws the panels, each with its own height of 100 %: what counts is where the values lie.
func (h Histograms) SVG(t Theme) ([]byte, error) {
	if len(h.Panels) == 0 || h.Bins < 1 || !(h.High > h.Low) {
		return nil, errNothing
	}
	var plots []*plot.Plot
	for i, panel := range h.Panels {
		if len(panel.Values) == 0 {
			return nil, fmt.Errorf("chart: histogram %q has no values", panel.Name)
		}
		plots = append(plots, h.panel(i, t))
	}
	const each, head = 130, 40
	height := vg.Points(float64(each*len(plots) + head))
	return render(vg.Points(680), height, func(c draw.Canvas) {
		title := centred(face(titleSize, true, t.text))
		c.FillText(title, vg.Point{X: c.Center().X, Y: c.Max.Y}, h.Title)
		rows := make([][]*plot.Plot, len(plots))
		for i, p := range plots {
			rows[i] = []*plot.Plot{p}
		}
		tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadTop: vg.Points(24), PadY: vg.Points(6), PadRight: vg.Points(10)}
		for i, areas := range plot.Align(rows, tiles, c) {
			plots[i].Draw(areas[0])
			h.name(i, t, plots[i].DataCanvas(areas[0]))
		}
	})
}

// panel is the plot of one distribution. Only the last has the axis' name.
func (h Histograms) panel(i int, t Theme) *plot.Plot {
	x := ""
	if i == len(h.Panels)-1 {
		x = h.X
	}
	p := t.newPlot("", x, h.Y)
	shares := h.shares(h.Panels[i].Values)
	var most float64
	for _, s := range shares {
		most = max(most, s)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = h.Low, h.High, 0, most*1.25
	p.X.Tick.Marker, p.Y.Tick.Marker = few(h.Low, h.High, 8), few(0, most*1.2, 3)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, t.grid
	grid.Horizontal.Width = vg.Points(0.5)
	p.Add(grid, binPlotter{h, shares, t.colour(h.Panels[i].Role, i)})
	return p
}

// shares are the bins' parts of all values, in percent.
func (h Histograms) shares(values []float64) []float64 {
	bins := make([]float64, h.Bins)
	for _, v := range values {
		i := int(math.Floor((v - h.Low) / (h.High - h.Low) * float64(h.Bins)))
		bins[min(max(i, 0), h.Bins-1)] += 100 / float64(len(values))
	}
	return bins
}

// name writes which distribution it is, at the upper left of its panel.
func (h Histograms) name(i int, t Theme, data draw.Canvas) {
	panel := h.Panels[i]
	bold := face(labelSize, true, t.colour(panel.Role, i))
	at := vg.Point{X: data.Min.X + vg.Points(6), Y: data.Max.Y - vg.Points(8)}
	data.FillText(bold, at, panel.Name)
	at.X += bold.Width(panel.Name)*1.2 + vg.Points(6) // the reader's font may be wider
	data.FillText(face(labelSize, false, t.text), at, panel.Note)
}

// binPlotter draws the bins.
type binPlotter struct {
	Histograms
	shares []float64
	colour color.Color
}

// Plot implements plot.Plotter.
func (b binPlotter) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	width := (b.High - b.Low) / float64(b.Bins)
	for i, share := range b.shares {
		if share == 0 {
			continue
		}
		left, right := trX(b.Low+width*float64(i)), trX(b.Low+width*float64(i+1))
		top := trY(share)
		c.FillPolygon(b.colour, []vg.Point{{X: left, Y: trY(0)}, {X: right - 0.4, Y: trY(0)}, {X: right - 0.4, Y: top}, {X: left, Y: top}})
	}
}

// few marks about n round values between low and high.
func few(low, high float64, n int) plot.ConstantTicks {
	raw := (high - low) / float64(n)
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	var ticks plot.ConstantTicks
	for v := math.Ceil(low/step) * step; v <= high; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.4g", v)})
	}
	return ticks
}
