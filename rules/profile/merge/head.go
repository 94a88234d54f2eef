// Head: the keys in front of the rules: names, roles, features, ports, and the document.

package merge

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules/profile/draft"
)

// facts are the keys of [document] that are always those of the new document.
func facts() []string {
	return []string{"title", "version", "url", "released", "retrieved", "sha256", "language"}
}

// head merges what stands in front of the rules.
func (m *merger) head() error {
	for _, b := range m.reviewed.blocks {
		switch b.kind {
		case top:
			m.replaced[b] = m.topLines(b)
		case document:
			m.replaced[b] = m.documentLines(b)
		}
	}
	return m.declarations()
}

// the block of a kind in a file.
func (f *file) block(k kind) *block {
	for _, b := range f.blocks {
		if b.kind == k {
			return b
		}
	}
	return &block{}
}

// topLines merges the first keys. Roles and binds that only the new draft has are added.
func (m *merger) topLines(b *block) []string {
	list := segments(b.lines)
	was, now := segments(m.old.block(top).lines), segments(m.next.block(top).lines)
	for i, line := range list[0].lines {
		for _, n := range now[0].lines {
			for _, begins := range []string{madeLine, draft.CommandLine} {
				if strings.HasPrefix(line, begins) && strings.HasPrefix(n, begins) {
					list[0].lines[i] = n
				}
			}
		}
	}
	for _, key := range []string{"product", "wildcards", "replaces"} {
		if plain(find(list, key)) == plain(find(was, key)) {
			list = set(list, key, find(now, key))
		}
	}
	e, n := m.reviewed.profile, m.next.profile
	for _, l := range []struct {
		key       string
		mine, new []string
	}{{"roles", e.Roles, n.Roles}, {"binds", e.Binds, n.Binds}} {
		all := slices.Clone(l.mine)
		for _, s := range l.new {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
		if len(all) > len(l.mine) {
			list = set(list, l.key, []string{fmt.Sprintf("%-7s = [%s]", l.key, `"`+strings.Join(all, `", "`)+`"`)})
		}
	}
	return joined(list)
}

// madeLine begins the comment with which import counts the rows of its document.
const madeLine = "# The import made "

// documentLines takes over the facts of the new document. An address or a title that the person
// changed stays, if the new draft has the old one.
func (m *merger) documentLines(b *block) []string {
	list := segments(b.lines)
	was, now := segments(m.old.block(document).lines), segments(m.next.block(document).lines)
	for _, key := range facts() {
		mine, old, next := find(list, key), find(was, key), find(now, key)
		if plain(old) == plain(next) && plain(mine) != plain(old) && slices.Contains([]string{"title", "url", "language"}, key) {
			continue
		}
		if plain(mine) != plain(next) {
			list = set(list, key, next)
		}
	}
	return joined(list)
}

// plain returns the text of a key without the spaces around it.
func plain(lines []string) string {
	return strings.Join(strings.Fields(strings.Join(lines, "\n")), " ")
}

// declarations adds the features and ports that only the new draft has, and takes over those that
// only the document changed. If both sides changed one, a person must decide first, because the
// rules that use it would change their meaning.
func (m *merger) declarations() error {
	of := func(f *file) map[string]*block {
		out := map[string]*block{}
		for _, b := range f.blocks {
			if b.kind == declared {
				out[b.name] = b
			}
		}
		return out
	}
	was, mine := of(m.old), of(m.reviewed)
	for _, n := range m.next.blocks {
		if n.kind != declared {
			continue
		}
		o, e := was[n.name], mine[n.name]
		now := plain(n.lines)
		switch {
		case e == nil && o != nil && plain(o.lines) == now && !m.uses(n.name): // the person removed it
		case e == nil:
			m.first = slices.Insert(m.first, 0, slices.Concat([]string{""}, n.lead, n.lines))
		case plain(e.lines) == now, o != nil && plain(o.lines) == now:
		case o != nil && plain(o.lines) == plain(e.lines):
			m.replaced[e] = n.lines
		default:
			return fmt.Errorf("%s: the document and you have both changed it, and rules use it; write one [[%s]] in %s and in %s, and merge again", n.name, strings.Fields(n.name)[0], m.reviewed.profile.File, m.next.profile.File)
		}
	}
	return nil
}

// uses reports whether a rule of the new draft uses a feature or a port.
func (m *merger) uses(name string) bool {
	kind, name, _ := strings.Cut(name, " ")
	for _, r := range m.next.profile.Rules {
		if kind == "feature" && slices.Contains(r.When, name) || kind == "port" && slices.Contains(slices.Concat(r.TCPNamed, r.UDPNamed), name) {
			return true
		}
	}
	return false
}
