package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// picture is a quantity against the number of routes.
type picture struct {
	file, title, unit string
	of                func(*Result) (float64, bool)
	logarithmic       bool // upwards, too: peers differ by orders of magnitude
}

// pictures are those of the article, and lookups that need not wait as well.
var pictures = []picture{
	{"lookup-serial", "one lookup after the other, uniform hits", "ns",
		func(r *Result) (float64, bool) { return r.lookup("uniform", modes[0].String()) }, true},
	{"lookup-fastest", "lookups in the fastest way, uniform hits", "ns",
		func(r *Result) (float64, bool) { return r.fastest("uniform") }, true},
	{"depth", "mean depth", "nodes",
		func(r *Result) (float64, bool) { return r.Depth, r.Depth > 0 }, false},
	{"build", "building the table", "ms",
		func(r *Result) (float64, bool) { return r.BuildMS, r.BuildMS > 0 }, true},
	{"memory", "memory", "bytes per route",
		func(r *Result) (float64, bool) { return r.BytesPerRoute, r.BytesPerRoute > 0 }, true},
}

// plots draws every quantity of every workload that has several sizes, all
// peers in one picture.
func (r *Report) plots(dir string) error {
	for _, name := range r.workloads() {
		for _, p := range pictures {
			file := filepath.Join(dir, p.file+"-"+slug(name)+".svg")
			if err := r.plot(file, name, p); err != nil {
				return fmt.Errorf("draw %s: %w", file, err)
			}
		}
	}
	return nil
}

// workloads are the names of those with several sizes.
func (r *Report) workloads() (names []string) {
	for i, run := range r.Runs {
		again := i > 0 && r.Runs[i-1].Workload == run.Workload
		if again && (len(names) == 0 || names[len(names)-1] != run.Workload) {
			names = append(names, run.Workload)
		}
	}
	return names
}

func (r *Report) plot(file, workload string, p picture) error {
	var lines []any // a name, then its points
	for _, peer := range r.Peers {
		if points := r.points(workload, peer, p); len(points) > 0 {
			lines = append(lines, peer, points)
		}
	}
	if lines == nil {
		return nil
	}
	chart := plot.New()
	chart.Title.Text = workload + ": " + p.title
	chart.X.Label.Text, chart.Y.Label.Text = "routes", p.unit
	chart.X.Scale, chart.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	if p.logarithmic {
		chart.Y.Scale, chart.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		chart.Y.Min = 0
	}
	chart.Add(plotter.NewGrid())
	if err := plotutil.AddLinePoints(chart, lines...); err != nil {
		return err
	}
	widen(&chart.X)
	widen(&chart.Y)
	chart.Legend.Top, chart.Legend.Left, chart.Legend.Padding = true, true, vg.Millimeter
	return chart.Save(18*vg.Centimeter, 12*vg.Centimeter, file)
}

// widen makes room on an axis along which all points are the same. Left alone,
// plot would subtract one, which may leave nothing to take a logarithm of.
func widen(axis *plot.Axis) {
	if axis.Min == axis.Max {
		axis.Min, axis.Max = axis.Min/2, 2*axis.Max
	}
}

// points are a peer's figures, one a size.
func (r *Report) points(workload, peer string, p picture) (points plotter.XYs) {
	for _, run := range r.Runs {
		if result := run.of(peer); run.Workload == workload && result != nil {
			if y, ok := p.of(result); ok && y > 0 {
				points = append(points, plotter.XY{X: float64(run.Routes), Y: y})
			}
		}
	}
	return points
}

// slug is a workload's name as a part of a file's.
func slug(name string) string {
	return strings.NewReplacer(" ", "-", "/", "", ",", "").Replace(name)
}
