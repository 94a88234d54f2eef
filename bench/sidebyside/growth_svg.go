// Growth, picture: the points of a growth measurement as SVG, without a library.

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Measures of a panel, in pixels.
const (
	panelWidth, panelHeight = 330, 210
	marginLeft, marginTop   = 60, 40
)

var growthColours = []string{"#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#475569"}

// drawGrowth draws two panels, with the same scale: the cost by clients, and the cost by names.
func drawGrowth(points []point) string {
	top := 0.0
	var rows []string
	for _, p := range points {
		top = max(top, p.cost)
		if !slices.Contains(rows, p.row) {
			rows = append(rows, p.row)
		}
	}
	top = math.Ceil(top/100) * 100
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", 2*(panelWidth+marginLeft)+130, panelHeight+2*marginTop+10)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	byClients := func(p point) (int, bool) { return p.clients, p.clients > 0 }
	byNames := func(p point) (int, bool) { return p.names, p.clients == 0 }
	drawPanel(&b, marginLeft, "clients at once (100 names)", growthClients, rows, points, top, byClients)
	drawPanel(&b, 2*marginLeft+panelWidth, "names in the policy (32 clients)", growthNames, rows, points, top, byNames)
	for i, row := range rows {
		y := marginTop + 14 + i*18
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", 2*(panelWidth+marginLeft)+16, y, growthColours[i%len(growthColours)], row)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// drawPanel draws one line for each row. The steps have the same distance from each other.
func drawPanel(b *strings.Builder, left int, title string, steps []int, rows []string, points []point, top float64, step func(point) (int, bool)) {
	bottom := marginTop + panelHeight
	y := func(cost float64) float64 { return float64(bottom) - cost/top*panelHeight }
	fmt.Fprintf(b, `<text x="%d" y="%d">µs of CPU time for a unit of work, by %s</text>`+"\n", left, marginTop-14, title)
	for i := range 5 {
		cost := top * float64(i) / 4
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left, y(cost), panelWidth-20, left-6, y(cost)+4, cost)
	}
	x := func(i int) int { return left + 15 + i*(panelWidth-50)/(len(steps)-1) }
	for i, s := range steps {
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%d</text>`+"\n", x(i), bottom+18, s)
	}
	for r, row := range rows {
		var line []string
		for _, p := range points {
			if at, ok := step(p); ok && p.row == row {
				if i := slices.Index(steps, at); i >= 0 {
					line = append(line, fmt.Sprintf("%d,%.1f", x(i), y(p.cost)))
				}
			}
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(line, " "), growthColours[r%len(growthColours)])
	}
}
