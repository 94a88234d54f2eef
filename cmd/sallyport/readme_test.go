// README: what it shows of the answers is what the commands print.

package main

import (
	"strings"
	"testing"
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
	asked, _, _ := strings.Cut(deployed(t, "README.md"), "# would this be permitted?")
	line := strings.Fields(asked[strings.LastIndex(asked, "\n"):])
	code, out, diag := command(t, "", line[1:]...)
	if code != 1 || diag != "" || out != shown.String() {
		t.Errorf("%q: exit %d, said %q, printed\n%s\nbut the README shows\n%s", line, code, diag, out, shown.String())
	}
}
