// Known denials: the [[known]] tables of a configuration, and the shipped sets that it names. Such
// denials are still denied and recorded, and shown apart.

package site

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// readKnown reads what stands at the top of a file: tables [[known]], or known = [...] with the
// names of shipped sets that hold for every client. TOML permits one of the two.
func (c *Config) readKnown(top *tomldoc.Table, sets []*rules.KnownSet) {
	if raw, _ := top.Raw("known"); isList(raw) {
		c.readKnownSets(top, "", sets)
		return
	}
	var own []*rules.Known
	for _, t := range top.Subs("known") {
		if k := c.readKnownTable(t); k.Host != "" {
			own = append(own, k)
		}
	}
	c.Known = append(own, c.Known...) // of two that cover a denial, the site's own is named
}

func isList(v any) bool {
	_, is := v.([]any)
	return is
}

// readKnownSets reads the names of shipped sets. client is the client that they hold for; "":
// every client.
func (c *Config) readKnownSets(t *tomldoc.Table, client string, sets []*rules.KnownSet) {
	for _, name := range t.Strs("known") {
		i := slices.IndexFunc(sets, func(s *rules.KnownSet) bool { return s.Name == name })
		if i < 0 {
			t.Doc.Errorf(t.LineOf("known", name), "known: there is no set %q%s", name, tomldoc.DidYouMean(name, setNames(sets), "the sets are"))
			continue
		}
		for _, k := range sets[i].Known {
			k.Client, k.Line = client, t.LineOf("known", name)
			c.Known = append(c.Known, &k)
		}
	}
}

func setNames(sets []*rules.KnownSet) (out []string) {
	for _, s := range sets {
		out = append(out, s.Name)
	}
	return out
}

// readKnownTable reads one [[known]] of the site.
func (c *Config) readKnownTable(t *tomldoc.Table) *rules.Known {
	k := readKnownDenial(t)
	if t.Has("client") {
		k.Client = t.Str("client")
		c.checkRuleClient(t, k.Client)
	}
	if strings.TrimSpace(k.Why) == "" {
		t.Missing("why", "say why the site means these denials, like a ticket number")
	} else if placeholder(k.Why) {
		t.Errorf("why", "%q is still a placeholder: say why the site means these denials, like a ticket number, or delete the [[known]]", k.Why)
	}
	k.Expires = t.End("expires")
	t.Done()
	return k
}

// readKnownDenial reads what a [[known]] of a site and an entry of a shipped set have in common.
func readKnownDenial(t *tomldoc.Table) *rules.Known {
	k := &rules.Known{Why: t.Text("why"), Line: t.Line(""), Port: uint16(t.Int("port", 0, 1, 65535)), Reason: readReason(t)}
	text := t.Str("host")
	if text == "" {
		t.Missing("host", `name the destination: a name, a glob like "*.msftconnecttest.com", an address or a prefix`)
		return k
	}
	host, why := knownHost(text)
	if why != "" {
		t.Errorf("host", "%q %s", text, why)
		return k
	}
	k.Host = host
	return k
}

// readReason reads the name of a reason; ReasonNone if there is none.
func readReason(t *tomldoc.Table) rules.Reason {
	text := t.Str("reason")
	if !t.Has("reason") {
		return rules.ReasonNone
	}
	r, err := rules.ParseReason(text)
	if err != nil {
		var known []string
		for _, r := range rules.Reasons() {
			known = append(known, r.String())
		}
		cure := tomldoc.DidYouMean(text, known, "")
		if strings.HasPrefix(cure, ";") {
			cure = "; sallyport help reasons lists them"
		}
		t.Errorf("reason", "%q is not a reason%s", text, cure)
	}
	return r
}

// The shortest prefixes that one known denial may have.
const (
	knownBits4 = 16
	knownBits6 = 32
)

// knownHost returns the canonical form of a host of a known denial, or what is wrong with it. A
// glob must end with a domain that one party holds: below any other end an attacker could have a
// name, and its denials would not be shown with the others.
func knownHost(text string) (host, why string) {
	if p, ok := rules.KnownPrefix(text); ok {
		least := knownBits6
		if p.Addr().Is4() {
			least = knownBits4
		}
		if p.Bits() < least {
			return "", fmt.Sprintf("is too broad: the shortest prefix is /%d; name the networks", least)
		}
		if p.IsSingleIP() {
			return p.Addr().String(), ""
		}
		return p.String(), ""
	}
	if !rules.IsGlob(text) {
		n, err := rules.ParseIDN(text)
		if err != nil {
			if host := hostIn(text); host != "" {
				return "", fmt.Sprintf("is more than a host: write the host alone, %q, and a port in the key port", host)
			}
			return "", "is neither a name, a glob, an address nor a prefix: " + err.Error()
		}
		return n.String(), ""
	}
	glob := strings.ToLower(text)
	if _, behind, ok := strings.Cut(glob, "://"); ok || strings.HasSuffix(glob, "/*") {
		if !ok {
			behind = glob
		}
		host, _, _ := strings.Cut(behind, "/")
		return "", fmt.Sprintf("is more than a host: write the host alone, %q", host)
	}
	if _, err := path.Match(glob, ""); err != nil || strings.ContainsAny(glob, `\/ `) || !ascii(glob) {
		return "", "is not a glob of names: * stands for any characters, ? for one, [a-z] for one of a range; write other letters than a to z in the form xn--"
	}
	domain := rules.GlobDomain(glob)
	if domain == "" {
		return "", `is too broad: it must end with a whole domain, like "*.msftconnecttest.com"`
	}
	n, err := rules.ParseName(domain)
	if err != nil {
		return "", "is not a glob of names: " + err.Error()
	}
	suffix, icann := publicsuffix.PublicSuffix(n.String())
	switch {
	case suffix == n.String() && (icann || strings.Contains(suffix, ".")):
		return "", "is too broad: anyone can register a name below " + suffix + "; name the domains"
	case suffixBelow(n) != "":
		return "", "is too broad: anyone can register a name below " + strings.TrimPrefix(suffixBelow(n), "*.") + ", which it covers; name the domains"
	}
	return glob, ""
}

// ascii reports whether a text has printable ASCII characters only.
func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}

// ParseKnownSet reads a shipped set of known denials: its name, its title and its tables
// [[known]], each with the page that says so.
func ParseKnownSet(file string, data []byte) (*rules.KnownSet, error) {
	doc, top := tomldoc.Parse(file, data)
	if top == nil {
		return nil, doc.Problems().Err()
	}
	s := &rules.KnownSet{Name: top.Str("name"), Title: top.Text("title")}
	if !rules.IsIdentifier(s.Name) || s.Title == "" {
		doc.Errorf(0, "a set needs a name and a title")
	}
	for _, t := range top.Subs("known") {
		k := readKnownDenial(t)
		k.Set, k.Source = s.Name, t.Text("source")
		if k.Why == "" || k.Source == "" {
			t.Errorf("why", "a known denial of a set needs why and source")
		}
		t.Done()
		s.Known = append(s.Known, *k)
	}
	top.Done()
	return s, doc.Problems().Err()
}
