// Chart: a timeline as a picture of stacked bars, and as a sentence.

package page

import (
	"fmt"
	"time"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// The picture's size, in its own units; the browser scales it.
const (
	chartWidth  = 960
	chartHeight = 200
	chartSteps  = 96
	chartColors = 8 // reasons with a colour; the other reasons share the last colour
)

// A chart is a laid-out Series. It has no bar for zero denials.
type chart struct {
	Width, Height int
	Bars          []bar
	Legend        []legend
	Rows          []chartRow // the same data as a table, latest first
	Max           uint64
	Step          string
	First, Last   time.Time
	Total         uint64
	Words         string // the same in a sentence
}

// A bar is the denials of one reason in one step.
type bar struct {
	X, Y, W, H string
	Color      int
	Title      string
}

type legend struct {
	Color  int
	Reason string
	Count  uint64
	Link   string
}

type chartRow struct {
	Start time.Time
	Text  string
	Total uint64
	Link  string
}

// chartOf lays out a timeline. Its links open the groups with the filters of f and
// the step or reason as one more filter.
func chartOf(t *denials.Timeline, f form) *chart {
	s := t.Series(chartSteps)
	if len(s.Steps) == 0 {
		return nil
	}
	c := &chart{Width: chartWidth, Height: chartHeight, Max: s.Max, Step: stepText(s.Step),
		First: s.Steps[0].Start, Last: s.Steps[len(s.Steps)-1].Start.Add(s.Step)}
	totals := make([]uint64, len(s.Reasons))
	wide := float64(chartWidth) / float64(max(len(s.Steps), 12))
	for i := range s.Steps {
		st := &s.Steps[i]
		c.Total += st.Total
		c.column(&s, st, float64(i)*wide, wide)
		for k, n := range st.Counts {
			totals[k] += n
		}
		if st.Total > 0 {
			c.Rows = append(c.Rows, chartRow{st.Start, stepWords(&s, st), st.Total, f.link("/", "since", st.Start.Format(time.RFC3339), "until", st.Start.Add(s.Step).Format(time.RFC3339))})
		}
	}
	for i, j := 0, len(c.Rows)-1; i < j; i, j = i+1, j-1 {
		c.Rows[i], c.Rows[j] = c.Rows[j], c.Rows[i]
	}
	for k, reason := range s.Reasons {
		c.Legend = append(c.Legend, legend{min(k, chartColors-1), reason, totals[k], f.link("/", "reason", reason)})
	}
	c.Words = fmt.Sprintf("%s denials from %s to %s in steps of %s, at most %s in one step. The most frequent reason is %s with %s.",
		grouped(c.Total), minute(c.First), minute(c.Last), c.Step, grouped(c.Max), journal.Visible(s.Reasons[0]), grouped(totals[0]))
	return c
}

// column stacks the bars of one step.
func (c *chart) column(s *denials.Series, st *denials.Step, x, wide float64) {
	y := float64(chartHeight)
	gap := min(wide/5, 2)
	for k, n := range st.Counts {
		if n == 0 {
			continue
		}
		h := max(float64(n)/float64(s.Max)*chartHeight, 1)
		y -= h
		c.Bars = append(c.Bars, bar{decimal(x), decimal(max(y, 0)), decimal(wide - gap), decimal(h), min(k, chartColors-1),
			fmt.Sprintf("%s: %s %s", minute(st.Start), grouped(n), journal.Visible(s.Reasons[k]))})
	}
}

func stepWords(s *denials.Series, st *denials.Step) string {
	text := ""
	for k, n := range st.Counts {
		if n > 0 {
			if text != "" {
				text += ", "
			}
			text += s.Reasons[k] + " " + grouped(n)
		}
	}
	return text
}

func stepText(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}

func decimal(v float64) string { return fmt.Sprintf("%.1f", v) }

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
