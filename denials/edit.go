// Edit: small changes of a configuration's text. All other text, with its
// comments, stays as it is.

package denials

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/site"
	"sallyport/rules/tomldoc"
)

// An Edit sets one key of one client, or adds one [[rule]].
type Edit struct {
	Client  string // name of the [[client]]
	Profile int    // the index of the client's profile, if the edit sets features, version, ports or the profile's own Table
	Table   string // if the edit sets addresses.ROLE: "client.addresses" (also "") or "client.profile.addresses"
	Key     string // features, version, ports, sources, or addresses.ROLE
	Value   string // its new value, as TOML
	Rule    string // a whole [[rule]] as TOML, instead of a key
	Ask     string // if not "", the key is written as a comment below this question
	Shown   string // the value that the comment has instead of Value, if only the site knows the value; "": Value
}

// written returns the value that is written: below a question, it may be for the site to fill in.
func (m *Edit) written() string {
	if m.Ask != "" && m.Shown != "" {
		return m.Shown
	}
	return m.Value
}

// ApplyEdits returns text with the edits made; c was read from text. The error
// names a form of TOML that ApplyEdits cannot change. ApplyEdits does not check
// the result: read it with site.Parse.
func ApplyEdits(c *site.Config, text []byte, list []Edit) ([]byte, error) {
	e := textEditor{lines: strings.Split(strings.TrimRight(string(text), "\n"), "\n")}
	for _, m := range list {
		if m.Rule != "" {
			e.lines = append(append(e.lines, ""), strings.Split(strings.TrimRight(m.Rule, "\n"), "\n")...)
			continue
		}
		e.ask = m.Ask
		i := slices.IndexFunc(c.Clients, func(cl *rules.Client) bool { return cl.Name == m.Client })
		if i < 0 {
			return nil, fmt.Errorf("there is no client %q", m.Client)
		}
		if err := e.apply(i, m); err != nil {
			return nil, fmt.Errorf("client %q: %w", m.Client, err)
		}
	}
	return []byte(strings.Join(e.lines, "\n") + "\n"), nil
}

// A textEditor changes lines of TOML.
type textEditor struct {
	lines []string
	ask   string // the question above the commented key; "": the key is set
}

// A section has the lines of a table, from its header to the next header.
type section struct {
	name  string
	first int // index of the header's line
	end   int
}

// sections lists the tables of client number n, the client's own first.
func (e *textEditor) sections(n int) []section {
	var out []section
	inside := false
	for _, s := range tomldoc.Statements(e.lines) {
		if !s.Header {
			continue
		}
		if k := len(out); inside && out[k-1].end == 0 {
			out[k-1].end = s.Line - 1
		}
		name := s.Text
		switch {
		case s.Array && name == "client":
			inside = n == 0
			n--
		case !strings.HasPrefix(name, "client."):
			inside = false
		}
		if inside {
			out = append(out, section{name: name, first: s.Line - 1})
		}
	}
	if k := len(out); k > 0 && out[k-1].end == 0 {
		out[k-1].end = len(e.lines)
	}
	return out
}

func (e *textEditor) apply(client int, m Edit) error {
	all := e.sections(client)
	if len(all) == 0 {
		return fmt.Errorf("is not written as [[client]]")
	}
	if role, ok := strings.CutPrefix(m.Key, "addresses."); ok {
		return e.bindRole(all, m, role)
	}
	table, key := "client", m.Key
	if m.Key != "sources" && slices.ContainsFunc(all, func(s section) bool { return s.name == "client.profile" }) {
		table = "client.profile"
	}
	number := 0
	if table == "client.profile" {
		number = m.Profile
	}
	for _, s := range all {
		if s.name == table+"."+key || table == "client.profile" && s.name == "client.profile."+key {
			return fmt.Errorf("%s is written as a table of its own", key)
		}
	}
	for _, s := range all {
		if s.name != table {
			continue
		}
		if number == 0 {
			e.set(s, key, m.written())
			return nil
		}
		number--
	}
	return fmt.Errorf("profile %d is not written as [[client.profile]]", m.Profile)
}

// bindRole sets a role in the table of bindings of a client, or of one of its profiles.
func (e *textEditor) bindRole(all []section, m Edit, role string) error {
	table := cmp.Or(m.Table, "client.addresses")
	if table == "client.profile.addresses" {
		all = profileSections(all, m.Profile)
		if len(all) == 0 {
			return fmt.Errorf("profile %d is not written as [[client.profile]]", m.Profile)
		}
	}
	for _, s := range all {
		if s.name == table {
			e.set(s, role, m.Value)
			return nil
		}
	}
	return e.bind(all, "["+table+"]", role, m.Value)
}

// profileSections returns the sections of a client's [[client.profile]] with this index.
func profileSections(all []section, profile int) (out []section) {
	for _, s := range all {
		if s.name == "client.profile" {
			profile--
		}
		if profile == -1 && strings.HasPrefix(s.name, "client.profile") {
			out = append(out, s)
		}
	}
	return out
}

// bind sets a role of a client or profile whose sections have no table of bindings.
func (e *textEditor) bind(all []section, header, role, value string) error {
	own := all[0]
	for _, s := range e.keys(own) {
		if strings.HasPrefix(s.Text, "addresses.") {
			e.set(own, "addresses."+role, value)
			return nil
		}
		if s.Text == "addresses" {
			return fmt.Errorf("addresses is written as an inline table")
		}
	}
	at := e.contentEnd(all[len(all)-1])
	if e.ask == "" {
		e.lines = slices.Insert(e.lines, at, header, role+" = "+value)
		return nil
	}
	if i := slices.Index(e.lines[at:], "# "+header); i >= 0 && !slices.ContainsFunc(e.lines[at:at+i], uncommented) {
		e.lines = slices.Insert(e.lines, at+i+1, commented(e.ask, removeHash, role+" = "+value)...) // there is a question about another role already
		return nil
	}
	e.lines = slices.Insert(e.lines, at, commented(e.ask, removeHash, header, role+" = "+value)...)
	return nil
}

// removeHash is the instruction that puts a commented change in force.
const removeHash = "remove the # from the lines below"

// uncommented reports whether a line is neither a comment nor empty.
func uncommented(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && line[0] != '#'
}

// keys lists the statements of a section.
func (e *textEditor) keys(s section) []tomldoc.Statement {
	all := tomldoc.Statements(e.lines)
	return slices.DeleteFunc(all, func(o tomldoc.Statement) bool { return o.Line-1 <= s.first || o.Line-1 >= s.end })
}

// contentEnd returns the line after the section's last statement. Comments
// after it belong to the next header.
func (e *textEditor) contentEnd(s section) int {
	end := s.first + 1
	for _, k := range e.keys(s) {
		end = k.Last
	}
	return end
}

// set sets a key of a section. It keeps the text before the equal sign, and the
// comment after a value of one line.
func (e *textEditor) set(s section, key, value string) {
	for _, k := range e.keys(s) {
		if k.Text != key {
			continue
		}
		if e.ask != "" {
			e.lines = slices.Insert(e.lines, k.Last, commented(e.ask, "put this in place of "+key+" above, without the #", key+" = "+value)...)
			return
		}
		head, old, _ := strings.Cut(e.lines[k.Line-1], "=")
		line := head + "= " + value
		if at := tomldoc.CommentAt(old); k.Last == k.Line && at >= 0 {
			line += " " + strings.TrimRight(old[at:], " \t\r")
		}
		e.lines = slices.Replace(e.lines, k.Line-1, k.Last, line)
		return
	}
	lines := []string{key + " = " + value}
	if e.ask != "" {
		lines = commented(e.ask, removeHash, lines...)
	}
	e.lines = slices.Insert(e.lines, e.contentEnd(s), lines...)
}
