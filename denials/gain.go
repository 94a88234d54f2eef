// Gain: describes the whole effect of a suggestion: the difference between the
// policies with and without the suggestion.

package denials

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// differ sets Gains and the texts made from them: For, the clients that gain;
// Also, what the suggestion would permit beyond the denied attempts; and Loses,
// what it would no longer permit.
func (sg *Suggestion) differ(before, after *rules.Policy) {
	sg.Gains = rules.Diff(before, after)
	for _, g := range sg.Gains {
		sg.For = union(sg.For, sources(g))
	}
	var rest []rules.Gain
	for _, g := range sg.Gains {
		if g, more := sg.unasked(g); more {
			rest = append(rest, g)
		}
	}
	sg.Also = sg.words(rest)
	sg.Loses = sg.words(rules.Diff(after, before))
}

// unasked removes the denied attempts from a gain. It returns false if nothing
// is left.
func (sg *Suggestion) unasked(g rules.Gain) (rules.Gain, bool) {
	one := !g.To.Of.Wildcard && len(g.To.Except) == 0 && (!g.To.Of.Name.IsZero() || g.To.Of.Prefix.IsSingleIP())
	if !one || g.Any || g.Zone || !g.At.IsZero() {
		return g, true
	}
	looked, reached := g.LookUp, len(g.TCP)+len(g.UDP) > 0
	for _, o := range sg.Groups {
		if o.Host != g.To.Of.String() {
			continue
		}
		looked = false
		if o.Proto == "udp" {
			g.UDP = g.UDP.Without(o.Port)
		} else {
			g.TCP = g.TCP.Without(o.Port)
		}
	}
	left := len(g.TCP)+len(g.UDP) > 0
	return g, left || looked && !reached
}

// words describes gains. Gains that differ only in the destination share one
// line. The line names the client if it is not the suggestion's client.
func (sg *Suggestion) words(gains []rules.Gain) []string {
	var out []string
	at := map[[2]string]int{} // texts before and after the destinations -> line
	where := map[int][]string{}
	for _, g := range gains {
		var front string
		if g.Client != nil && g.Client.Name != sg.Client {
			front = "for " + g.Client.Name + ": "
		}
		if g.To.IsZero() || len(g.To.Except)+len(g.At.Except) > 0 {
			out = append(out, front+g.String())
			continue
		}
		if g.Rule != nil {
			front += g.Rule.String() + ": "
		}
		key := [2]string{front, g.What()}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key], out = i, append(out, "")
		}
		where[i] = append(where[i], g.Where())
		out[i] = front + strings.Join(where[i], ", ") + ": " + key[1]
	}
	return out
}

// sources describes the client that gains, and its addresses.
func sources(g rules.Gain) []string {
	if g.Client == nil {
		return []string{"every client"}
	}
	var from []string
	for _, r := range g.From {
		from = append(from, r.String())
	}
	return []string{g.Client.Name + ": " + strings.Join(from, "; ")}
}

// extent counts the rules that the sources of a client gain.
func extent(gains []rules.Gain) string {
	var all []*rules.Rule
	site, anything, audit := 0, 0, false
	for _, g := range gains {
		audit = audit || g.Audit
		if g.Rule == nil || slices.Contains(all, g.Rule) {
			continue
		}
		all = append(all, g.Rule)
		if g.Rule.Profile == rules.SiteProfile {
			site++
		}
		if g.Rule.Any {
			anything++
		}
	}
	s := fmt.Sprintf("%s, %d of them rules of the site and %d with every protocol and port", rules.Counted(len(all), "rule", "rules"), site, anything)
	if audit {
		s += `; and mode "audit", which lets everything else through`
	}
	return s
}
