// README and docs: the answers that they show are the answers of the commands, and
// their texts about reasons are those of the program.

package main

import (
	"strings"
	"testing"

	"sallyport/rules"
)

func TestReadmeExplain(t *testing.T) {
	var shown strings.Builder
	for line := range strings.Lines(deployed(t, "README.md")) {
		if code, is := strings.CutPrefix(line, "    "); is && (shown.Len() > 0 || strings.HasPrefix(code, "deny: ")) {
			shown.WriteString(code)
		} else if shown.Len() > 0 {
			break
		}
	}
	asked, _, _ := strings.Cut(deployed(t, "README.md"), "# is this permitted?")
	line := strings.Fields(asked[strings.LastIndex(asked, "\n"):])
	code, out, diag := command(t, "", line[1:]...)
	if code != 1 || diag != "" || out != shown.String() {
		t.Errorf("%q: exit %d, said %q, printed\n%s\nbut the README shows\n%s", line, code, diag, out, shown.String())
	}
}

func TestPapersReasons(t *testing.T) {
	page := deployed(t, "docs/reasons.md")
	at := 0
	for _, r := range rules.Reasons() {
		row := "\n| `" + r.String() + "` | " + r.Help() + " | "
		i := strings.Index(page[at:], row)
		if i < 0 {
			t.Fatalf("docs/reasons.md has not, at its place in the order of precedence:%s", row)
		}
		at += i
	}
}
