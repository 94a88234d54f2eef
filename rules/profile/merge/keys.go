// Keys: the keys of a table, each with its lines, so that one key of a rule can come from the
// document and another one from the person.

package merge

import (
	"regexp"
	"slices"
	"strings"

	"sallyport/rules"
)

// A segment is a key with its lines: its value, and the comments below it.
type segment struct {
	key   string
	lines []string
}

var keyForm = regexp.MustCompile(`^\s*([A-Za-z_]+)\s*=`)

// segments divides a table. The first segment has no key: the lines before the first key.
func segments(lines []string) []segment {
	out := []segment{{}}
	for _, line := range lines {
		if m := keyForm.FindStringSubmatch(line); m != nil {
			out = append(out, segment{key: m[1]})
		}
		last := &out[len(out)-1]
		last.lines = append(last.lines, line)
	}
	return out
}

// find returns the lines of a key; nil: the table does not have it.
func find(list []segment, key string) []string {
	for _, s := range list {
		if s.key == key {
			return s.lines
		}
	}
	return nil
}

// set replaces the lines of a key. Without lines, the key goes away. A new key stands behind the
// last one.
func set(list []segment, key string, lines []string) []segment {
	i := slices.IndexFunc(list, func(s segment) bool { return s.key == key })
	switch {
	case i >= 0 && len(lines) == 0:
		return slices.Delete(list, i, i+1)
	case i >= 0:
		list[i].lines = lines
	case len(lines) > 0:
		list = append(list, segment{key, lines})
	}
	return list
}

// joined returns the lines of a table.
func joined(list []segment) (out []string) {
	for _, s := range list {
		out = append(out, s.lines...)
	}
	return out
}

// group is the keys of a rule that only have a meaning together.
type group struct {
	name string
	keys []string
}

// ruleGroups lists all keys of a rule but for its id, in the order in which a rule has them.
func ruleGroups() []group {
	return []group{
		{"from", []string{"from"}},
		{"to", []string{"to"}},
		{"ports", []string{"tcp", "udp", "any"}},
		{"local", []string{"local"}},
		{"when", []string{"when"}},
		{"versions", []string{"since", "until"}},
		{"purpose", []string{"purpose"}},
		{"note", []string{"note"}},
		{"section", []string{"section"}},
	}
}

// groups returns the value of each group of keys of a rule. Two equal values mean the same.
func groups(p *rules.Profile, r *rules.Rule) map[string]string {
	var to []string
	for _, d := range r.To {
		to = append(to, d.String())
	}
	slices.Sort(to)
	g := map[string]string{
		"from": r.From, "to": strings.Join(to, ", "), "ports": portsOf(p, r), "when": strings.Join(slices.Sorted(slices.Values(r.When)), ", "),
		"purpose": r.Purpose, "note": r.Note, "section": r.Section,
	}
	if r.Local {
		g["local"] = "one host"
	}
	if r.Since != "" {
		g["versions"] = "since " + r.Since
	}
	if r.Until != "" {
		g["versions"] = strings.TrimSpace(g["versions"] + " below " + r.Until)
	}
	return g
}
