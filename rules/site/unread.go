// Unread: profile files with errors, and what is said about the clients that need their
// profiles: the errors of the file are the cause, and one line is enough for the rest.

package site

import (
	"slices"
	"strings"

	"sallyport/rules/tomldoc"
)

// An unread is a profile file with errors, whose profile is not in force.
type unread struct {
	file string
	name string // "" if the errors hide it
	told bool   // a client that needs the profile was reported
}

// nameOf returns the profile's name in a text that is no TOML further down; "" if the lines
// above the first table have no name either.
func nameOf(data []byte) string {
	lines := strings.Split(string(data), "\n")
	for _, s := range tomldoc.Statements(lines) {
		if s.Header {
			lines = lines[:s.Line-1]
			break
		}
	}
	_, top := tomldoc.Parse("", []byte(strings.Join(lines, "\n")))
	if top == nil {
		return ""
	}
	return top.Str("name")
}

// reportUnknown reports a profile of a client that does not exist, or that has errors.
func (c *Config) reportUnknown(t *tomldoc.Table, name string, line int) {
	if i := slices.IndexFunc(c.unread, func(u *unread) bool { return u.name == name && name != "" }); i >= 0 {
		if u := c.unread[i]; !u.told {
			u.told = true
			t.Doc.Errorf(line, "profile %q and its clients are not checked further, because %s has errors", name, u.file)
		}
		return
	}
	known := make([]string, len(c.Profiles))
	for i, p := range c.Profiles {
		known[i] = p.Name
	}
	cure := tomldoc.DidYouMean(name, known, "the profiles are")
	var hidden []string
	for _, u := range c.unread {
		if u.name == "" {
			hidden = append(hidden, u.file)
		}
	}
	if len(hidden) > 0 {
		cure += "; it may be in " + strings.Join(hidden, ", ") + ", which has errors"
	}
	t.Doc.Errorf(line, "unknown profile %q%s", name, cure)
}
