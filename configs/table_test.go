// Tables: the rows of the vendors' documents, and the rules of a profile in the
// same form.

package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sallyport/rules"
)

// A need is one atom of a document, or of a profile: one role, one
// destination, one protocol and port, under the same conditions.
type need struct {
	section, from, to string
	port              string // "tcp/443", or "all"
	when              string // features, sorted, joined by commas
	since, until      string
	local             bool
}

// A count is how many rows and needs a section has.
type count struct{ rows, needs int }

// A table is the document of one profile, read from NAME.table.
type table struct {
	needs   []need           // in the document's order
	counted map[string]count // by section, as the lines were counted here
	stated  map[string]count // by section, as the table states it
	ports   map[string]int   // configurable ports and their defaults
}

// readTable reads a table; profiles/README.md describes the format.
func readTable(text string) (*table, error) {
	d := &table{counted: map[string]count{}, stated: map[string]count{}, ports: map[string]int{}}
	var section string
	for i, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		var err error
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
		case f[0] == "section":
			section = strings.Join(f[1:], " ")
			d.stated[section] = count{}
		case f[0] == "count" && len(f) == 3:
			var c count
			_, err = fmt.Sscan(strings.Join(f[1:], " "), &c.rows, &c.needs)
			d.stated[section] = c
		default:
			err = d.addRow(section, f)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return d, nil
}

func (d *table) addRow(section string, f []string) error {
	if len(f) < 3 {
		return fmt.Errorf("a row has at least three columns")
	}
	n := need{section: section, from: f[0]}
	for _, cond := range f[3:] {
		key, value, _ := strings.Cut(cond, "=")
		switch key {
		case "when":
			n.when = sorted(strings.Split(value, ","))
		case "since":
			n.since = value
		case "until":
			n.until = value
		case "local":
			n.local = true
		case "port":
			d.ports[value], _ = strconv.Atoi(strings.TrimLeft(f[2], "tcpud/"))
		default:
			return fmt.Errorf("unknown condition %s", cond)
		}
	}
	c := d.counted[section]
	c.rows++
	for to := range strings.SplitSeq(f[1], ",") {
		for port := range strings.SplitSeq(f[2], ",") {
			n.to, n.port = strings.ToLower(to), port
			d.needs = append(d.needs, n)
			c.needs++
		}
	}
	d.counted[section] = c
	return nil
}

func sorted(list []string) string {
	return strings.Join(slices.Sorted(slices.Values(list)), ",")
}

// needsOf returns the needs that a profile's rules permit.
func needsOf(p *rules.Profile) []need {
	var out []need
	for _, r := range p.Rules {
		n := need{section: r.Section, from: r.From, when: sorted(r.When), since: r.Since, until: r.Until, local: r.Local}
		for _, to := range r.To {
			n.to = to.String()
			if party, ok := strings.CutPrefix(n.to, "role:"); ok {
				n.to = "<" + party + ">"
			}
			for _, port := range portsOf(p, r) {
				n.port = port
				out = append(out, n)
			}
		}
	}
	return out
}

func portsOf(p *rules.Profile, r *rules.Rule) []string {
	if r.Any {
		return []string{"all"}
	}
	var out []string
	tcp, udp := p.DefaultPorts(r)
	for proto, ports := range map[string]rules.Ports{"tcp": tcp, "udp": udp} {
		for _, p := range ports {
			for port := int(p.First); port <= int(p.Last); port++ {
				out = append(out, proto+"/"+strconv.Itoa(port))
			}
		}
	}
	return out
}
