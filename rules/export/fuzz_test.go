// Fuzzing: no text of a document ends a comment, joins a line to it, or becomes a formula.

package export

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"unicode"

	"sallyport/rules"
)

// free returns a policy whose free texts are all the same text.
func free(t testing.TB, text string) *Policy {
	p := *madeUp(t)
	p.Document = rules.Document{Title: text, Version: text, URL: text}
	p.Rules = slices.Clone(p.Rules)
	for i, r := range p.Rules {
		changed := *r
		changed.Purpose, changed.Note, changed.Section, changed.Document = text, text, text, &p.Document
		p.Rules[i] = &changed
	}
	return OfProfile(rules.ClientProfile{Profile: &p, Role: "server"}, today)
}

// code returns the lines of an export that are no comments.
func code(text, comment string) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), comment) {
			lines = append(lines, line)
		}
	}
	return lines
}

func FuzzComments(f *testing.F) {
	for _, s := range []string{
		"plain", "a\nhttp_access allow all", "a\r\nevil.example CNAME rpz-passthru.", "ends with \\", "*/ permitted = true; /*", "a\u2028var denied = permitted",
		"a\u2029b", "a\u0085b", "\x00", "\xff\xfe", "=HYPERLINK(\"x\")", "+1", "@a", "-2", "a\tb", "\"; }", "'", "\v\f", " \\", "\\\n", "a\u202eb", "{{", "${x}",
	} {
		f.Add(s)
	}
	records := 0
	plain := map[Format][]string{}
	for _, format := range Formats() {
		k, _ := kindOf(format)
		text, _ := written(f, format, free(f, "plain"), Options{})
		plain[format] = code(text, k.comment)
		if format == CSV {
			records = strings.Count(text, "\n")
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := free(t, s)
		for _, format := range Formats() {
			text, _ := written(t, format, p, Options{})
			if format == CSV {
				checkTable(t, text, records)
				continue
			}
			k, _ := kindOf(format)
			if got := code(text, k.comment); !slices.Equal(got, plain[format]) {
				t.Errorf("%s: the text %q changes the lines that are no comments:\n%s", format, s, text)
			}
			for line := range strings.SplitSeq(text, "\n") {
				strange := strings.ContainsFunc(strings.TrimLeft(line, "\t"), func(r rune) bool { return !unicode.IsPrint(r) })
				if strange || strings.HasSuffix(line, `\`) {
					t.Errorf("%s: %q has characters that can end or join lines", format, line)
				}
			}
		}
	})
}

// checkTable checks that each record is one line, and that no cell is a formula.
func checkTable(t *testing.T, text string, lines int) {
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) != lines || strings.Count(text, "\n") != lines {
		t.Errorf("%d records in %d lines, want %d (%v)", len(records), strings.Count(text, "\n"), lines, err)
	}
	for _, record := range records {
		for _, cell := range record {
			if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
				t.Errorf("the cell %q is a formula", cell)
			}
		}
	}
}
