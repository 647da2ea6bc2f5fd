package chart

// Lines on two logarithmic axes, each with its name at its right end.

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines is a chart of costs over a number.
type Lines struct {
	Title, X, Y string
	YTick       func(float64) string // writes a value beside the axis; nil: as a plain number
	Lines       []Line
}

// Line is one of them. X and Y are positive.
type Line struct {
	Name string
	Role Role
	X, Y []float64
}

var errNothing = errors.New("chart: nothing to draw")

// SVG draws the chart.
func (l Lines) SVG(t Theme) ([]byte, error) {
	if len(l.Lines) == 0 {
		return nil, errNothing
	}
	p := t.newPlot("", l.X, l.Y)
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	var xs []float64
	low, high := math.Inf(1), 0.0
	for _, line := range l.Lines {
		if len(line.X) == 0 || len(line.X) != len(line.Y) || slices.Min(line.Y) <= 0 || slices.Min(line.X) <= 0 {
			return nil, fmt.Errorf("chart: line %q: %d and %d values, which have to be positive", line.Name, len(line.X), len(line.Y))
		}
		xs = append(xs, line.X...)
		low, high = min(low, slices.Min(line.Y)), max(high, slices.Max(line.Y))
	}
	p.X.Min, p.X.Max = slices.Min(xs), slices.Max(xs)
	p.Y.Min, p.Y.Max = low/1.2, high*1.2
	p.X.Tick.Marker, p.Y.Tick.Marker = ticksAt(xs), oneTwoFive(p.Y.Min, p.Y.Max, l.YTick)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, t.grid
	grid.Horizontal.Width = vg.Points(0.5)
	p.Add(grid)
	if err := l.addTo(p, t); err != nil {
		return nil, err
	}
	height := vg.Points(max(340, 15*float64(len(l.Lines))+90))
	return render(vg.Points(680), height, func(c draw.Canvas) {
		c.FillText(centred(face(titleSize, true, t.text)), vg.Point{X: c.Center().X, Y: c.Max.Y}, l.Title)
		area := draw.Crop(c, 0, -vg.Points(135), 0, -vg.Points(28))
		p.Draw(area)
		l.label(c, p, p.DataCanvas(area), t)
	})
}

// addTo adds the lines, the most important one on top of the others.
func (l Lines) addTo(p *plot.Plot, t Theme) error {
	order := make([]int, len(l.Lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(l.Lines[a].Role) - int(l.Lines[b].Role) })
	for _, i := range order {
		points := make(plotter.XYs, len(l.Lines[i].X))
		for j := range points {
			points[j] = plotter.XY{X: l.Lines[i].X[j], Y: l.Lines[i].Y[j]}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.LineStyle = l.style(i, t)
		dots.GlyphStyle = draw.GlyphStyle{Color: line.Color, Radius: line.Width*0.7 + vg.Points(0.9), Shape: draw.CircleGlyph{}}
		p.Add(line, dots)
	}
	return nil
}

// style is how line i is drawn.
func (l Lines) style(i int, t Theme) draw.LineStyle {
	s := draw.LineStyle{Color: l.colour(i, t), Width: vg.Points(1.3)}
	switch l.Lines[i].Role {
	case Ours:
		s.Width = vg.Points(3)
		if slices.ContainsFunc(l.Lines[:i], func(before Line) bool { return before.Role == Ours }) {
			s.Dashes = []vg.Length{vg.Points(9), vg.Points(3)}
		}
	case ByHand:
		s.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	case Limit:
		s.Dashes = []vg.Length{vg.Points(1.5), vg.Points(2.5)}
	}
	return s
}

// colour counts the lines of the same role before i, so that neighbours differ.
func (l Lines) colour(i int, t Theme) color.Color {
	n := 0
	for _, before := range l.Lines[:i] {
		if before.Role == Rival || before.Role == ByHand {
			n++
		}
	}
	return t.colour(l.Lines[i].Role, n)
}

// label writes each name beside its line's end, moved up or down where names would lie on each
// other, with a thin line to its own.
func (l Lines) label(c draw.Canvas, p *plot.Plot, data draw.Canvas, t Theme) {
	trX, trY := p.Transforms(&data)
	ends := make([]float64, len(l.Lines))
	for i, line := range l.Lines {
		ends[i] = float64(trY(line.Y[len(line.Y)-1]))
	}
	places := spread(ends, labelSize+2, float64(data.Min.Y)-8, float64(data.Max.Y)+8)
	for i, line := range l.Lines {
		col := l.colour(i, t)
		from := vg.Point{X: trX(line.X[len(line.X)-1]), Y: vg.Length(ends[i])}
		to := vg.Point{X: data.Max.X + vg.Points(18), Y: vg.Length(places[i])}
		c.StrokeLines(draw.LineStyle{Color: col, Width: vg.Points(0.6)},
			[]vg.Point{{X: from.X + vg.Points(5), Y: from.Y}, {X: to.X - vg.Points(3), Y: to.Y}})
		c.FillText(face(labelSize, line.Role == Ours, col), to, line.Name)
	}
}

// spread moves values apart until neighbours are at least gap apart, keeps their order, and stays
// between low and high if there is room for all.
func spread(values []float64, gap, low, high float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	out := slices.Clone(values)
	for range 200 { // pushes neighbours apart, each half of what is missing, until nothing moves
		moved := false
		for i := 1; i < len(order); i++ {
			a, b := order[i-1], order[i]
			if missing := gap - (out[b] - out[a]); missing > 1e-3 {
				out[a], out[b], moved = out[a]-missing/2, out[b]+missing/2, true
			}
		}
		if !moved {
			break
		}
	}
	return within(out, order, gap, low, high)
}

// within moves what lies outside of low and high inside, and its neighbours along.
func within(out []float64, order []int, gap, low, high float64) []float64 {
	floor := low
	for _, i := range order {
		out[i] = max(out[i], floor)
		floor = out[i] + gap
	}
	ceiling := high
	for _, i := range slices.Backward(order) {
		out[i] = min(out[i], ceiling)
		ceiling = out[i] - gap
	}
	return out
}

// ticksAt marks exactly the values that were measured.
func ticksAt(xs []float64) plot.ConstantTicks {
	xs = slices.Compact(slices.Sorted(slices.Values(xs)))
	var ticks plot.ConstantTicks
	for _, x := range xs {
		ticks = append(ticks, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'g', -1, 64)})
	}
	return ticks
}

// oneTwoFive marks 1, 2, 5 and their multiples by powers of ten between low and high.
func oneTwoFive(low, high float64, name func(float64) string) plot.ConstantTicks {
	if name == nil {
		name = func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	}
	var ticks plot.ConstantTicks
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if v := m * decade; v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: name(v)})
			}
		}
	}
	return ticks
}
