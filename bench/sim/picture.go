package main

// The last step: the sweep as a picture, for light and for dark pages.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/seed-4c1eaf8a/batcher/bench/chart"
)

// drawSweep writes the picture in both versions, and says what could not be drawn.
func (c *config) drawSweep(w io.Writer, steps []*config, all []figures) error {
	panels, left := c.panels(steps, all)
	for _, name := range left {
		fmt.Fprintf(w, "\nnot drawn: %s, which is 0 somewhere, and the axes are logarithmic\n", name)
	}
	for _, theme := range chart.Themes {
		svg, err := stack(panels, theme)
		if err == nil {
			err = os.WriteFile(c.plot+"-"+theme.Name+".svg", svg, 0o644)
		}
		if err != nil {
			return fmt.Errorf("-plot: %w", err)
		}
	}
	return nil
}

// panels are two charts: how long items wait, and how large batches get. left are the lines that
// cannot be drawn.
func (c *config) panels(steps []*config, all []figures) (panels []chart.Lines, left []string) {
	times := chart.Lines{Title: "From Add to written", Y: "ms"}
	sizes := chart.Lines{Title: "Size of the batches", Y: "items"}
	x, title := c.axis()
	add := func(to *chart.Lines, name string, role chart.Role, of func(i int) float64) {
		line := chart.Line{Name: name, Role: role, X: x}
		for i := range all {
			line.Y = append(line.Y, of(i))
			if line.Y[i] <= 0 {
				left = append(left, name)
				return
			}
		}
		to.Lines = append(to.Lines, line)
	}
	add(&times, "p99", chart.Ours, func(i int) float64 { return milliseconds(all[i].toEnd.p99) })
	add(&times, "p50", chart.Rival, func(i int) float64 { return milliseconds(all[i].toEnd.p50) })
	add(&times, "the sink's part", chart.Limit, func(i int) float64 { return milliseconds(c.latency.of(int(all[i].size.mean))) })
	add(&sizes, "mean", chart.Ours, func(i int) float64 { return all[i].size.mean })
	add(&sizes, "MaxSize", chart.Limit, func(i int) float64 { return float64(steps[i].size) })
	for _, p := range []chart.Lines{times, sizes} {
		p.X = title
		if len(p.Lines) > 0 {
			panels = append(panels, p)
		}
	}
	return panels, left
}

// axis returns the values of the sweep and what they are. Large rates are in thousands: each value is
// written below the axis, and long ones would run into each other.
func (c *config) axis() (x []float64, title string) {
	x, title = c.sweep.x, titles[c.sweep.name]
	switch {
	case c.sweep.name == "delay":
		return x, title + ", ms"
	case c.sweep.name == "rate" && x[len(x)-1] >= 10_000:
		x = slices.Clone(x)
		for i := range x {
			x[i] /= 1000
		}
		return x, "thousand " + title
	}
	return x, title
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var root = regexp.MustCompile(`<svg width="(\d+)pt" height="(\d+)pt"`)

// stack draws panels above each other, as one SVG that holds theirs.
func stack(panels []chart.Lines, theme chart.Theme) ([]byte, error) {
	var inner bytes.Buffer
	width, height := 0, 0
	for _, p := range panels {
		svg, err := p.SVG(theme)
		if err != nil {
			return nil, err
		}
		size := root.FindSubmatchIndex(svg)
		if size == nil {
			return nil, errors.New("the chart has no size in points")
		}
		w, _ := strconv.Atoi(string(svg[size[2]:size[3]]))
		h, _ := strconv.Atoi(string(svg[size[4]:size[5]]))
		fmt.Fprintf(&inner, `<svg x="0" y="%d" width="%d" height="%d"`, height, w, h)
		inner.Write(svg[size[1]:])
		width, height = max(width, w), height+h
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n", width, height, width, height)
	return append([]byte(head), append(inner.Bytes(), "</svg>\n"...)...), nil
}
