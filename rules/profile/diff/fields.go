// Fields: the parts of a rule or of a profile that can differ, as text.

package diff

import (
	"slices"
	"strconv"
	"strings"

	"sallyport/rules"
)

// A comparer gathers the fields that differ.
type comparer []Field

// text compares two texts.
func (c *comparer) text(name, old, now string) {
	if old != now {
		*c = append(*c, Field{Name: name, Old: filled(old), New: filled(now)})
	}
}

// filled returns a text as a list, which is empty for an empty text.
func filled(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// list compares two lists, in which the order does not count.
func (c *comparer) list(name string, old, now []string) {
	went := slices.DeleteFunc(slices.Clone(old), func(s string) bool { return slices.Contains(now, s) })
	came := slices.DeleteFunc(slices.Clone(now), func(s string) bool { return slices.Contains(old, s) })
	if len(went)+len(came) > 0 {
		*c = append(*c, Field{Name: name, List: true, Old: went, New: came})
	}
}

// flag compares two flags.
func (c *comparer) flag(name string, old, now bool) {
	c.text(name, yes(old), yes(now))
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// ruleFields returns the fields that differ between two rules. It does not compare the ids.
func ruleFields(oldOf, nowOf *rules.Profile, old, now *rules.Rule) []Field {
	var c comparer
	c.text("from", old.From, now.From)
	c.list("to", destinations(old), destinations(now))
	oldTCP, oldUDP := oldOf.DefaultPorts(old)
	nowTCP, nowUDP := nowOf.DefaultPorts(now)
	c.text("tcp", oldTCP.String(), nowTCP.String())
	c.text("udp", oldUDP.String(), nowUDP.String())
	c.list("configurable ports", slices.Concat(old.TCPNamed, old.UDPNamed), slices.Concat(now.TCPNamed, now.UDPNamed))
	c.flag("any", old.Any, now.Any)
	c.flag("local", old.Local, now.Local)
	c.list("when", old.When, now.When)
	c.text("since", old.Since, now.Since)
	c.text("until", old.Until, now.Until)
	c.text("purpose", old.Purpose, now.Purpose)
	c.text("section", old.Section, now.Section)
	c.text("note", old.Note, now.Note)
	return c
}

// destinations returns the destinations of a rule as texts.
func destinations(r *rules.Rule) []string {
	out := make([]string, len(r.To))
	for i, d := range r.To {
		out[i] = d.String()
	}
	return out
}

// profileFields returns the fields that differ between two profiles. It does not compare
// their rules.
func profileFields(old, now *rules.Profile) []Field {
	var c comparer
	c.text("name", old.Name, now.Name)
	c.text("product", old.Product, now.Product)
	c.text("title", old.Document.Title, now.Document.Title)
	c.text("version", old.Document.Version, now.Document.Version)
	c.text("released", old.Document.Released, now.Document.Released)
	c.text("url", old.Document.URL, now.Document.URL)
	if old.Document.SHA256 != "" && now.Document.SHA256 != "" { // a profile without it says nothing
		c.text("sha256", old.Document.SHA256, now.Document.SHA256)
	}
	c.text("note", old.Document.Note, now.Document.Note)
	c.text("language", old.Document.Language, now.Document.Language)
	c.list("roles", old.Roles, now.Roles)
	if slices.Contains(now.Roles, old.Roles[0]) {
		c.text("default role", old.Roles[0], now.Roles[0])
	}
	c.list("binds", old.Binds, now.Binds)
	c.list("wildcards", old.Wildcards, now.Wildcards)
	c.list("features", features(old), features(now))
	c.list("ports", ports(old), ports(now))
	return c
}

// features returns the features of a profile with their meanings.
func features(p *rules.Profile) (out []string) {
	for _, f := range p.Features {
		out = append(out, strings.TrimSuffix(f.Name+": "+f.Meaning, ": "))
	}
	return out
}

// ports returns the configurable ports of a profile with their defaults and meanings.
func ports(p *rules.Profile) (out []string) {
	for _, port := range p.Ports {
		out = append(out, strings.TrimSuffix(port.Name+", by default "+strconv.Itoa(int(port.Default))+": "+port.Meaning, ": "))
	}
	return out
}
