// Tests of footnotes: the NOTE of a row with a mark quotes the footnote.

package draft

import (
	"strings"
	"testing"

	"sallyport/rules/profile"
)

func TestFootnotesAreQuoted(t *testing.T) {
	row := func(mark string) string {
		return "<table><tr><th>Host<th>Port<th>Purpose<tr><td>a.example<td>TCP 443<td>Updates" + mark + "</table>"
	}
	const quoted = "\n#   footnote 1: HTTP is used only by appliances older than 7.2.\n"
	for name, c := range map[string]struct {
		format Format
		text   string
		want   string
	}{
		"paragraph":        {HTML, row("<sup>1</sup>") + "<p><sup>1</sup> HTTP is used only by\nappliances older than 7.2.</p><p><sup>2</sup> Other.</p>", quoted},
		"lines":            {HTML, row("<sup>1</sup>") + "<div><p><sup>2</sup> Other.<br><sup>1</sup>HTTP is used only by appliances older than 7.2.</p></div>", quoted},
		"brackets":         {HTML, row(" [1]") + "<small><p>[1] HTTP is used only by appliances older than 7.2.</p></small>", quoted},
		"raised character": {CSV, "Host,Port,Purpose\na.example,TCP 443,Updates¹\n¹ HTTP is used only by appliances older than 7.2.\n", quoted},
		"link to a list":   {HTML, row(`<sup><a href="#fn">1</a></sup>`) + `<ol><li id="fn">HTTP is used only by appliances older than 7.2. <a href="#b">↩</a></li></ol>`, quoted},
		"last row":         {HTML, strings.Replace(row("<sup>1</sup>"), "</table>", "<tr><td colspan=3><sup>1</sup> HTTP is used only by appliances older than 7.2.</table>", 1), quoted},
		"Markdown":         {Markdown, "| Host | Port | Purpose |\n|--|--|--|\n| a.example | TCP 443 | Updates[^1] |\n\n[^1]: HTTP is used only by appliances older than 7.2.\n", quoted},
		"dagger":           {HTML, row("†") + "<p>† In the EU.</p>", "\n#   footnote †: In the EU.\n"},
		"star":             {HTML, row("*") + "<p>* In the EU.</p>", "\n#   footnote *: In the EU.\n"},
		"not in the page":  {HTML, row("<sup>1</sup>") + "<p>1 HTTP</p>", ""},
	} {
		d := read(t, c.format, c.text, Options{})
		out := string(d.TOML())
		if len(d.Rows[0].Doubts) == 0 || c.want == "" && strings.Contains(out, "footnote ") && strings.Contains(out, "#   footnote") || !strings.Contains(out, c.want) {
			t.Errorf("%s: want %q\n%s", name, c.want, out)
			continue
		}
		p, err := profile.Parse("draft", []byte(out))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimPrefix(strings.TrimSpace(c.want), "#   "); p.Notes[0].Footnotes != want || strings.Contains(p.Notes[0].Row, "footnote") {
			t.Errorf("%s: the NOTE is read as %+v", name, p.Notes[0])
		}
	}
	long := read(t, HTML, row("<sup>1</sup>")+"<p><sup>1</sup> "+strings.Repeat("word ", 500)+"</p>", Options{})
	if n := len(long.Rows[0].Footnotes[0]); n > maxFootnote+20 {
		t.Errorf("%d characters of a footnote", n)
	}
}

// A purpose of several lines is one line, and a line of the source is no line of the page.
func TestPurposeInLines(t *testing.T) {
	for text, want := range map[string]string{
		"Remote support tunnel<br>Opened by the customer": "Remote support tunnel; Opened by the customer",
		"Used to connect\n      to the cloud":             "Used to connect to the cloud",
		"Used to connect<br>to the cloud":                 "Used to connect to the cloud",
		"Updates.<br>Signatures":                          "Updates. Signatures",
		"<ul><li>Updates</li><li>Signatures</li></ul>":    "Updates; Signatures",
	} {
		d := read(t, HTML, page("<tr><td>a.example</td><td>TCP 443</td><td>"+text+"</td></tr>"), Options{})
		if got := d.Rows[0].Purpose; got != want || d.Decided() != 1 {
			t.Errorf("%q: %q, want %q\n%s", text, got, want, summary(d))
		}
	}
}

// The first lines of a draft stay true when a person has decided, and a search for NOTE then
// finds nothing.
func TestHeadOfADraft(t *testing.T) {
	d := read(t, CSV, "Host,Port,Purpose\na.example,TCP 443,x\nb.example,ALL,y\n", Options{Version: "1", Released: "2026-01-02", Retrieved: "2026-01-03", SHA256: strings.Repeat("a", 64), Language: "en", URL: "https://a.example/"})
	head, _, _ := strings.Cut(string(d.TOML()), "[[rule]]")
	if strings.Contains(head, "NOTE") || !strings.Contains(head, "\n# The import made 1 rule of 2 rows.\n") {
		t.Errorf("%s", head)
	}
	for _, key := range []string{"title    ", "version  ", "url      ", "released ", "retrieved", "sha256   ", "language "} {
		if !strings.Contains(head, "\n"+key+" = ") {
			t.Errorf("%q is not aligned\n%s", key, head)
		}
	}
}

// A path of a URL is in the note as the document prints it; the directions, which import has
// understood, are no further cells.
func TestRemarksOfARule(t *testing.T) {
	d := read(t, CSV, "Feature,Host,Port,Way,Purpose\nCloud,https://a.example/path/,443,Outbound,x\nCloud,b.example/*,TCP 443,Outbound,x\n", Options{})
	out := string(d.TOML())
	if d.Decided() != 2 || d.Remarked() != 1 || !strings.Contains(out, `note    = "The path /path/ is left out: a rule is for the whole host."`) {
		t.Errorf("%d rules, %d with a note\n%s", d.Decided(), d.Remarked(), out)
	}
	if strings.Contains(out, "Way: ") || !strings.Contains(out, "# Also in the row: Feature: Cloud\n") {
		t.Errorf("the cells beside the rule:\n%s", out)
	}
}
