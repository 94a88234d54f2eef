// Findings: the problems by kind, with the remedy. An operator can paste this
// part of the report into a ticket.

package preflight

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A group is the destinations with one kind of problem.
type group struct {
	Finding // the finding of the first member; Cure is empty if the members have different cures
	members []*Destination
}

// writeFindings prints the findings of one status, by kind.
func writeFindings(w io.Writer, rows []*Destination, status Status) {
	var groups []*group
	for _, d := range rows {
		if d.Status != status {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return g.Problem == d.Problem && g.Likely == d.Likely })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{Finding: d.Finding})
		}
		g := groups[i]
		g.members = append(g.members, d)
		if g.Cure != d.Cure {
			g.Cure = ""
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		return cmp.Compare(slices.Index(order, a.Problem), slices.Index(order, b.Problem))
	})
	for _, g := range groups {
		g.write(w, status)
	}
}

// alike is the number of destinations that are shown if all have the same cure.
const alike = 5

// write prints the common text once, then each destination. If the cure is the
// same for all, it prints only the first few.
func (g *group) write(w io.Writer, status Status) {
	fmt.Fprintf(w, "\n%s: %s: %s\n", status, strings.ReplaceAll(string(g.Problem), "_", " "), visible(g.Likely))
	if g.Cure != "" {
		fmt.Fprintln(w, "  do:", visible(g.Cure))
	}
	for i, d := range g.members {
		if i == alike && g.Cure != "" && len(g.members) > alike+1 {
			fmt.Fprintf(w, "  and %d more with the same cure; --json lists all\n", len(g.members)-i)
			break
		}
		fmt.Fprintf(w, "  %s  %s\n", d.label(), visible(d.Detail))
		if g.Cure == "" {
			fmt.Fprintln(w, "    do:", visible(d.Cure))
		}
		fmt.Fprintln(w, "    needed by", d.neededBy())
	}
}

// neededBy lists the first few clients and rules.
func (d *Destination) neededBy() string {
	var all []string
	for _, n := range d.Needs {
		all = append(all, n.Client+" ("+n.Rule+")")
	}
	if len(all) > 4 {
		all = append(all[:3:3], fmt.Sprintf("%d more", len(all)-3))
	}
	return strings.Join(all, ", ")
}
