// Flags: the flags of the two imports. A row that only another flag has changed is no change of the
// document.

package merge

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules/profile/draft"
)

// readingFlags lists the flags of import that decide how the rows are read, or which of them.
func readingFlags() []string {
	return []string{"role", "protocol", "columns", "table", "format", "from", "service", "region", "ports", "required"}
}

// otherFlags compares the flags of the imports of the two drafts. It returns a warning, or "" if they
// are equal, or if one of the drafts does not say.
func (m *merger) otherFlags() string {
	old, next := importFlags(m.old), importFlags(m.next)
	if old == nil || next == nil {
		return ""
	}
	var differs []string
	for _, name := range readingFlags() {
		was, inOld := old[name]
		if is, inNext := next[name]; was == is && inOld == inNext {
			continue
		}
		say := func(flags map[string]string) string {
			value, is := flags[name]
			switch {
			case !is:
				return "no --" + name
			case value == "":
				return "--" + name
			}
			return "--" + name + " " + value
		}
		differs = append(differs, fmt.Sprintf("%s has %s, and %s has %s", m.old.profile.File, say(old), m.next.profile.File, say(next)))
	}
	if len(differs) == 0 {
		return ""
	}
	return fmt.Sprintf("the drafts were imported with different flags, so that a row may differ although the document did not change it: %s; import the new document again, unless you mean it", strings.Join(differs, "; "))
}

// importFlags returns the flags in the head of a draft. nil: the head does not have the command.
func importFlags(f *file) map[string]string {
	lines := f.block(top).lines
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, draft.CommandLine) })
	if i < 0 {
		return nil
	}
	flags := map[string]string{}
	last := ""
	for _, word := range words(strings.TrimPrefix(lines[i], draft.CommandLine)) {
		if name, is := strings.CutPrefix(word, "--"); is {
			name, value, _ := strings.Cut(name, "=")
			flags[name], last = value, name
		} else if last != "" {
			flags[last], last = word, ""
		}
	}
	return flags
}

// words divides a command line as a shell does (POSIX, section 2.2), as far as import writes it:
// words in double quotes without a backslash, and words in single quotes.
func words(line string) (out []string) {
	word, quote, begun := "", rune(0), false
	for _, r := range line {
		switch {
		case quote == '\\':
			word, quote = word+string(r), 0
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '"' || r == '\'' || r == '\\':
			quote, begun = r, true
		case r == ' ':
			if begun {
				out = append(out, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(r), true
		}
	}
	if begun {
		out = append(out, word)
	}
	return out
}
