// Parents: the [[parent]] tables of a configuration, and the keys "parent" that name them.

package site

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// onlyParent is the name of a parent that is written as [parent], without a name.
const onlyParent = "parent"

// readParents reads [[parent]], or the one table [parent].
func (c *Config) readParents(top *tomldoc.Table, disk Disk) {
	var tables []*tomldoc.Table
	alone := false
	if raw, _ := top.Raw("parent"); raw != nil {
		if _, alone = raw.(map[string]any); alone {
			tables = []*tomldoc.Table{top.Sub("parent")}
		} else {
			tables = top.Subs("parent")
		}
	}
	for _, t := range tables {
		c.Parents = append(c.Parents, c.readParent(t, alone, disk))
	}
	var usual []*rules.Parent
	for _, p := range c.Parents {
		if p.Default {
			usual = append(usual, p)
		}
	}
	for _, p := range usual {
		if why := differ(usual[0], p); why != "" {
			top.Doc.Errorf(p.Line, "parent %q: default: %s", p.Name, why)
		}
	}
}

func (c *Config) readParent(t *tomldoc.Table, alone bool, disk Disk) *rules.Parent {
	p := &rules.Parent{Name: t.Str("name"), Default: t.Bool("default"), Line: t.Line("")}
	if alone && !t.Has("name") {
		p.Name = onlyParent
	}
	switch i := slices.IndexFunc(c.Parents, func(o *rules.Parent) bool { return o.Name == p.Name }); {
	case p.Name == "":
		t.Missing("name", `give the parent a name, like "corporate"`)
	case p.Name == rules.RouteDirect:
		t.Errorf("name", "%q has a meaning of its own: no parent; choose another name", p.Name)
	case !rules.IsIdentifier(p.Name):
		t.Errorf("name", "%q is not a parent's name: letters, digits, dots and hyphens", p.Name)
	case i >= 0:
		t.Errorf("name", "%q is already used on line %d", p.Name, c.Parents[i].Line)
	}
	c.readParentURL(t, p)
	p.ByName = t.Choice("by", "address", "name") == "name"
	p.Health = t.Duration("health", 0, time.Second)
	for _, s := range t.Strs("direct") {
		d, err := rules.ParseDestination(s)
		switch {
		case err != nil:
			t.Doc.Errorf(t.LineOf("direct", s), "direct: %v", err)
		case d.Role != "":
			t.Doc.Errorf(t.LineOf("direct", s), "direct: %q is a role: list names, wildcards, addresses or prefixes", s)
		default:
			p.Direct = append(p.Direct, d)
		}
	}
	c.readLogin(t, p, disk)
	c.readParentTLS(t, p, disk)
	t.Done()
	return p
}

// readParentURL reads where a parent listens. No text of the URL that may be a password is
// repeated in a problem.
func (c *Config) readParentURL(t *tomldoc.Table, p *rules.Parent) {
	const forms = `"http://proxy.corp.example:3128", "https://…:3129" or "socks5://…:1080"`
	text := t.Str("url")
	if text == "" {
		t.Missing("url", "say where the parent listens, like "+forms)
		return
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if strings.Contains(text, "@") {
		t.Errorf("url", "has a user or a password in it: write them into a file as one line user:password, and name the file in auth_file")
		return
	}
	if !ok {
		t.Errorf("url", "%q has no protocol: write it like %s", text, forms)
		return
	}
	switch p.Scheme = scheme; scheme {
	case rules.ParentHTTP, rules.ParentHTTPS, rules.ParentSOCKS5:
	case "socks5h", "socks":
		t.Errorf("url", `%q: write "socks5://"; the key by says whether the parent resolves names`, text)
		return
	default:
		t.Errorf("url", "%q: a parent speaks http, https or socks5, like %s", text, forms)
		return
	}
	at, ok := readReceiver(t, "parent", scheme, rest, 3128)
	if !ok {
		return
	}
	p.At = at
	if at.Addr.IsValid() && (rules.Own{Listeners: c.Listen.Streams()}).Is(at.AddrPort()) {
		t.Errorf("url", "%s is sallyport's own listener: sallyport would ask itself; name the site's proxy", at)
	}
}

// mostLogin is the size limit of an auth_file.
const mostLogin = 64 << 10

// readLogin reads the user and the password from the parent's auth_file.
func (c *Config) readLogin(t *tomldoc.Table, p *rules.Parent, disk Disk) {
	data, ok := c.readPrivate(t, "[[parent]]", &p.Unread, "auth_file", disk, mostLogin)
	if !ok {
		return
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	user, password, colon := strings.Cut(line, ":")
	switch {
	case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }):
		t.Errorf("auth_file", "%s: has more than one line, or control characters: write one line user:password", t.Str("auth_file"))
	case !colon || user == "":
		t.Errorf("auth_file", "%s: is not one line user:password", t.Str("auth_file"))
	case p.Scheme == rules.ParentSOCKS5 && (len(user) > 255 || len(password) > 255 || password == ""):
		t.Errorf("auth_file", "%s: SOCKS5 takes a user and a password of 1 to 255 octets each (RFC 1929)", t.Str("auth_file"))
	default:
		p.Login = rules.Login{User: user, Password: password}
	}
}

// readPrivate reads a file that a key of the table "of" names. If only this user may not read it,
// that is a warning, because commands may run as another user than sallyport: run refuses such a
// table by its error in unread.
func (c *Config) readPrivate(t *tomldoc.Table, of string, unread *error, key string, disk Disk, limit int) ([]byte, bool) {
	name := t.Str(key)
	if name == "" {
		if t.Has(key) {
			t.Errorf(key, "is empty: name a file, or leave the key out")
		}
		return nil, false
	}
	path, data, err := c.read(disk, Input{Key: of + " " + key, Line: t.Line(key), Path: name, Secret: key == "auth_file" || key == "key"}, limit)
	switch {
	case errors.Is(err, fs.ErrPermission):
		*unread = fmt.Errorf("%s:%d: %s %s: %s: %w", t.Doc.File(), t.Line(key), of, key, path, err)
		t.Doc.WarnToServe(t.Line(key), "%s: %s: %v; sallyport cannot start as this user", key, path, err)
		return nil, false
	case err != nil:
		t.Errorf(key, "%s: %v", path, err)
		return nil, false
	}
	return data, true
}

// readRoute reads the key "parent" of a client or rule: "direct", a parent's name, or several
// names in the order of trying.
func (c *Config) readRoute(t *tomldoc.Table) []string {
	raw, ok := t.Raw("parent")
	if !ok {
		return nil
	}
	var names []string
	if s, one := raw.(string); one {
		names = []string{s}
	} else {
		names = t.Strs("parent")
	}
	known := make([]string, 0, len(c.Parents))
	for _, p := range c.Parents {
		known = append(known, p.Name)
	}
	if len(names) == 0 {
		t.Errorf("parent", `is empty: name a [[parent]], or write "direct"`)
	}
	var first *rules.Parent
	for _, name := range names {
		i := slices.Index(known, name)
		switch {
		case name == rules.RouteDirect && len(names) > 1:
			t.Errorf("parent", `"direct" excludes every parent: write "direct" alone, or leave it out of the list`)
		case name == rules.RouteDirect:
		case len(known) == 0:
			t.Errorf("parent", `there is no parent %q; the configuration has no [[parent]]`, name)
		case i < 0:
			t.Errorf("parent", "there is no parent %q%s", name, tomldoc.DidYouMean(name, append(known, rules.RouteDirect), "the parents are"))
		case first == nil:
			first = c.Parents[i]
		default:
			if why := differ(first, c.Parents[i]); why != "" {
				t.Errorf("parent", "%q and %q: %s", first.Name, name, why)
			}
		}
	}
	return names
}

// differ returns why one parent cannot take the place of another one; "" if it can.
func differ(a, b *rules.Parent) string {
	switch {
	case a.HTTP() != b.HTTP():
		return "parents that take each other's place must be of one kind: http and https, or socks5"
	case a.ByName != b.ByName:
		return `parents that take each other's place must have the same value of by`
	}
	return ""
}

// withoutDNS reports whether no name of a destination needs an upstream: every parent resolves
// names itself.
func (c *Config) withoutDNS() bool {
	return len(c.Parents) > 0 && !slices.ContainsFunc(c.Parents, func(p *rules.Parent) bool { return !p.ByName })
}

// whenEmpty returns when upstreams may be empty; "" if the configuration has no parent.
func (c *Config) whenEmpty() string {
	if len(c.Parents) == 0 {
		return ""
	}
	return `; it may be empty only if every [[parent]] has by = "name"`
}

// warnWithoutDNS warns of what cannot be resolved if there is no upstream.
func (c *Config) warnWithoutDNS(t *tomldoc.Table) {
	for _, p := range c.Parents {
		if n := p.At.Name; !n.IsZero() && len(c.Hosts[n]) == 0 && !c.zoned(n) {
			t.Doc.Errorf(p.Line, "parent %q: url: nothing resolves %s, because [dns] upstreams is empty: write the address, or add the name to [hosts] or to a [[dns.zone]]", p.Name, n)
		}
		for _, d := range p.Direct {
			if !d.Name.IsZero() && !c.zoned(d.Name) && len(c.Hosts[d.Name]) == 0 {
				t.Doc.Warnf(p.Line, "parent %q: direct: nothing resolves %s, because [dns] upstreams is empty: add it to [hosts] or to a [[dns.zone]]", p.Name, d)
			}
		}
	}
	for _, cl := range c.Clients {
		if slices.Contains(cl.Parents, rules.RouteDirect) {
			t.Doc.Warnf(cl.Line, "client %q has parent = %q, and [dns] upstreams is empty: only names in [hosts] and [[dns.zone]] can be reached", cl.Name, rules.RouteDirect)
		}
	}
	for _, r := range c.Rules {
		if slices.Contains(r.Parents, rules.RouteDirect) {
			t.Doc.Warnf(r.Line, "rule %q has parent = %q, and [dns] upstreams is empty: only names in [hosts] and [[dns.zone]] can be reached", r.ID, rules.RouteDirect)
		}
	}
	if len(c.Listen.DNS) > 0 {
		t.Doc.Warnf(t.Line("upstreams"), "upstreams: is empty: the DNS filter answers only names in [hosts] and [[dns.zone]], and SERVFAIL for every other permitted name")
	}
}

// zoned reports whether a [[dns.zone]] has the name.
func (c *Config) zoned(n rules.Name) bool {
	return slices.ContainsFunc(c.Zones, func(z rules.Name) bool { return n == z || n.Below(z) })
}
