// Tests of the promise: what can be read in two ways becomes a NOTE, never a guess that
// permits.

package draft

import (
	"regexp"
	"strings"
	"testing"

	"sallyport/rules/profile"
)

// read makes the draft of a document.
func read(t *testing.T, f Format, text string, o Options) *Draft {
	t.Helper()
	tables, err := Read(f, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v\n%s", f, err, text)
	}
	o.Name, o.Product, o.Title = "made-up", "P", "T"
	if o.Role == "" {
		o.Role = "server"
	}
	d, err := New(tables, o)
	if err != nil {
		t.Fatalf("%s: %v\n%s", f, err, text)
	}
	if p, err := profile.Parse("draft", d.TOML()); err != nil || len(p.Rules) != d.Decided() {
		t.Fatalf("the draft is no profile with %d rules: %v\n%s", d.Decided(), err, d.TOML())
	}
	return d
}

// page is a page with one table of rows.
func page(rows string) string {
	return "<!DOCTYPE html><table><tr><th>Host</th><th>Port</th><th>Purpose</th></tr>\n" + rows + "\n</table>"
}

// Each row permits nothing. Its doubt has the text, and its NOTE proposes the lines.
func TestRowsThatPermitNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		format Format
		row    string // in HTML: of page; else the whole line of a table with the same columns
		doubt  string
		lines  []string // of the NOTE
	}{
		// Footnote marks.
		{"raised digit behind a port", HTML, `<tr><td>a.example</td><td>TCP 443<sup>1</sup></td><td>x</td></tr>`, "has a footnote mark", []string{`# to      = ["a.example"]`, `# tcp     = [443]`}},
		{"raised digit behind an address", HTML, `<tr><td>1.2.3.4<sup>5</sup></td><td>TCP 443</td><td>x</td></tr>`, "has a footnote mark", []string{`# to      = ["1.2.3.4"]`}},
		{"raised digit behind a name", HTML, `<tr><td>viewer.medisync.example<sup>1</sup></td><td>TCP 443</td><td>x</td></tr>`, "has a footnote mark", []string{`# to      = ["viewer.medisync.example"]`}},
		{"lowered letter", HTML, `<tr><td>a.example<sub>a</sub></td><td>TCP 443</td><td>x</td></tr>`, "has a footnote mark", []string{`# to      = ["a.example"]`}},
		{"raised link", HTML, `<tr><td>a.example<sup><a href="#fn1">1</a></sup></td><td>TCP 443</td><td>x</td></tr>`, "has a footnote mark", []string{`# to      = ["a.example"]`}},
		{"link to a footnote", HTML, `<tr><td>a.example</td><td>TCP 443<a href="#fn1">1</a></td><td>x</td></tr>`, "has a footnote mark", []string{`# tcp     = [443]`}},
		{"small mark", HTML, `<tr><td>a.example</td><td>TCP 443<small>1</small></td><td>x</td></tr>`, "has a footnote mark", []string{`# tcp     = [443]`}},
		{"raised by style", HTML, `<tr><td>a.example</td><td>TCP 443<span style="vertical-align: super">1</span></td><td>x</td></tr>`, "has a footnote mark", []string{`# tcp     = [443]`}},
		{"mark in the protocol's brackets", HTML, `<tr><td>a.example</td><td>443 (TCP)<sup>1</sup></td><td>x</td></tr>`, "has a footnote mark", []string{`# tcp     = [443]`}},
		{"brackets", CSV, `a.example,TCP 443[1],x`, "has a footnote mark", []string{`# tcp     = [443]`}},
		{"brackets behind a name", CSV, `a.example[1],TCP 443,x`, "has a footnote mark", []string{`# to      = ["a.example"]`}},
		{"star", CSV, `a.example*,TCP 443,x`, "has a footnote mark", []string{`# to      = ["a.example"]`}},
		{"star behind a port", CSV, `a.example,TCP 443*,x`, "has a footnote mark", []string{`# tcp     = [443]`}},
		{"dagger", CSV, `a.example†,TCP 443,x`, "has a footnote mark", []string{`# to      = ["a.example"]`}},
		{"superscript digit behind a name", CSV, `a.example¹,TCP 443,x`, "has a footnote mark", []string{`# to      = ["a.example"]`}},
		{"superscript digit behind an address", CSV, `1.2.3.4⁵,TCP 443,x`, "has a footnote mark", []string{`# to      = ["1.2.3.4"]`}},
		{"circled digit", CSV, `1.2.3.4①,TCP 443,x`, "has a footnote mark", []string{`# to      = ["1.2.3.4"]`}},
		{"superscript digit in text", Text, "a.example\tTCP 443²\tx", "has a footnote mark", []string{`# tcp     = [443]`}},
		{"Markdown superscript", Markdown, `| a.example | TCP 443^1^ | x |`, "has a footnote mark", []string{`# tcp     = [443]`}},
		{"Markdown footnote", Markdown, `| a.example[^1] | TCP 443 | x |`, "has a footnote mark", []string{`# to      = ["a.example"]`}},
		{"HTML in Markdown", Markdown, `| 1.2.3.4<sup>5</sup> | TCP 443 | x |`, "has a footnote mark", []string{`# to      = ["1.2.3.4"]`}},
		{"a mark that lost its form", Text, "viewer.medisync.example1\tTCP 443\tx", "no top-level domain", []string{`# to      = ["viewer.medisync.example"]`}},
		{"a mark that a PDF reader set apart", Text, "a.example\tTCP 443 1\tx", "footnote mark", []string{`# tcp     = [443]`}},
		{"a mark in the purpose", HTML, `<tr><td>a.example</td><td>TCP 443</td><td>Updates<sup>1</sup></td></tr>`, `"Updates[^1]" has a footnote mark`, []string{`# to      = ["a.example"]`, `# purpose = "Updates"`}},
		{"a mark in a merged purpose", HTML, `<tr><td>a.example</td><td>TCP 443</td><td rowspan="2">Updates<sup>1</sup></td></tr>`, "has a footnote mark", []string{`# purpose = "Updates"`}},
		{"a dagger in the purpose", CSV, `a.example,TCP 443,Updates†`, "has a footnote mark", []string{`# purpose = "Updates"`}},
		{"a mark in an unknown column", HTML, `<tr><td>a.example</td><td>TCP 443</td><td>x</td><td>Cloud<sup>2</sup></td></tr>`, `"Cloud[^2]" has a footnote mark`, nil},
		{"a thousands separator", CSV, `a.example,"TCP 8,443",x`, "part of a number", nil},

		// Struck-out and hidden text.
		{"s", HTML, `<tr><td><s>a.example</s></td><td>TCP 443</td><td>x</td></tr>`, "struck out in the document", nil},
		{"del of one port", HTML, `<tr><td>a.example</td><td>TCP <del>80</del> 443</td><td>x</td></tr>`, "struck out in the document", []string{`# tcp     = [443]`}},
		{"strike in the purpose", HTML, `<tr><td>a.example</td><td>TCP 443</td><td><strike>x</strike></td></tr>`, "struck out in the document", nil},
		{"struck out by style", HTML, `<tr style="text-decoration: line-through"><td>a.example</td><td>TCP 443</td><td>x</td></tr>`, "row is struck out", nil},
		{"Markdown strikethrough", Markdown, `| ~~a.example~~ | TCP 443 | x |`, "struck out in the document", nil},
		{"Markdown strikethrough of a row", Markdown, `| ~~a.example | TCP 443 | x~~ |`, "struck out in the document", nil},
		{"del in Markdown", Markdown, `| a.example | TCP <del>80</del> 443 | x |`, "struck out in the document", []string{`# tcp     = [443]`}},
		{"hidden row", HTML, `<tr hidden><td>a.example</td><td>TCP 443</td><td>x</td></tr>`, "row is hidden", nil},
		{"row without display", HTML, `<tr style="color:red; Display : None"><td>a.example</td><td>TCP 443</td><td>x</td></tr>`, "row is hidden", nil},
		{"row of a hidden group", HTML, `<tbody style="visibility:hidden"><tr><td>a.example</td><td>TCP 443</td><td>x</td></tr></tbody>`, "row is hidden", nil},
		{"hidden cell", HTML, `<tr><td>a.example</td><td hidden>TCP 443</td><td>x</td></tr>`, "hidden in the page", nil},
		{"hidden part", HTML, `<tr><td>a.example <span style="display:none">b.example</span></td><td>TCP 443</td><td>x</td></tr>`, "hidden in the page", []string{`# to      = ["a.example"]`}},
		{"hidden names that touch", HTML, `<tr><td>a.example<span style="display:none">, evil.example</span></td><td>TCP 443</td><td>x</td></tr>`, "hidden in the page", []string{`# to      = ["a.example"]`}},
		{"hidden attribute within a cell", HTML, `<tr><td>a.example<b><span hidden>, evil.example</span></b></td><td>TCP 443</td><td>x</td></tr>`, "hidden in the page", []string{`# to      = ["a.example"]`}},
		{"hidden port", HTML, `<tr><td>a.example</td><td>TCP 443<span style="display:none">,22</span></td><td>x</td></tr>`, "hidden in the page", []string{`# tcp     = [443]`}},
		{"hidden by class", HTML, `<tr class="row d-none"><td>a.example</td><td>TCP 443</td><td>x</td></tr>`, "row is hidden", nil},

		// Ranges.
		{"range of addresses", CSV, `10.1.1.1 - 10.1.1.20,TCP 443,x`, "is a range", []string{`# to      = ["10.1.1.1", "10.1.1.2/31", "10.1.1.4/30", "10.1.1.8/29", "10.1.1.16/30", "10.1.1.20"]`}},
		{"range to an octet", CSV, `10.1.1.1-20,TCP 443,x`, "is a range", []string{`# to      = ["10.1.1.1", "10.1.1.2/31", "10.1.1.4/30", "10.1.1.8/29", "10.1.1.16/30", "10.1.1.20"]`}},
		{"range in words", CSV, `10.1.1.0 to 10.1.1.255,TCP 443,x`, "is a range", []string{`# to      = ["10.1.1.0/24"]`}},
		{"range with a dash", CSV, `10.1.1.0–10.1.2.255,TCP 443,x`, "is a range", []string{`# to      = ["10.1.1.0/24", "10.1.2.0/24"]`}},
		{"range of IPv6", CSV, `2001:db8::-2001:db8::ffff,TCP 443,x`, "is a range", []string{`# to      = ["2001:db8::/112"]`}},
		{"address with the bits of its network", CSV, `10.1.1.1/20,TCP 443,x`, "one address or the network 10.1.0.0/20", []string{`# to      = ["10.1.1.1"]`}},
		{"mask", CSV, `10.1.1.0/255.255.255.0,TCP 443,x`, "is a network", []string{`# to      = ["10.1.1.0/24"]`}},
		{"letters for octets", CSV, `10.1.x.x,TCP 443,x`, "is a network", []string{`# to      = ["10.1.0.0/16"]`}},
		{"star for an octet", CSV, `10.1.1.*,TCP 443,x`, "is a network", []string{`# to      = ["10.1.1.0/24"]`}},
		{"range that ends before it begins", CSV, `10.1.1.20-10.1.1.1,TCP 443,x`, "not a range", nil},
		{"range and a name", CSV, `a.example 10.1.1.0-10.1.1.3,TCP 443,x`, "is a range", []string{`# to      = ["10.1.1.0/30", "a.example"]`}},
		{"range of names in brackets", CSV, `host[1-4].x.example,TCP 443,x`, "range of names", []string{`# to      = ["host1.x.example", "host2.x.example", "host3.x.example", "host4.x.example"]`}},
		{"range of names with dots", CSV, `host1..4.x.example,TCP 443,x`, "range of names", []string{`# to      = ["host1.x.example", "host2.x.example", "host3.x.example", "host4.x.example"]`}},
		{"range of names with a hyphen", CSV, `host1-3.x.example,TCP 443,x`, "range of names", []string{`# to      = ["host1.x.example", "host2.x.example", "host3.x.example"]`}},
		{"range of names with zeros", CSV, `host{08..10}.x.example,TCP 443,x`, "range of names", []string{`# to      = ["host08.x.example", "host09.x.example", "host10.x.example"]`}},
		{"names with a hyphen between", CSV, `a1.x.example - a9.x.example,TCP 443,x`, "range of names", []string{`# to      = ["a1.x.example", "a2.x.example", "a3.x.example", "a4.x.example", "a5.x.example", "a6.x.example", "a7.x.example", "a8.x.example", "a9.x.example"]`}},
		{"names with a slash between", CSV, `a.x.example/b.x.example,TCP 443,x`, "several names", []string{`# to      = ["a.x.example", "b.x.example"]`}},
		{"numbers with a slash between", CSV, `update1/2.x.example,TCP 443,x`, "several names", nil},

		// Rows that are no permission.
		{"an action", CSV, `a.example,TCP 443,Deny`, `the row says "Deny"`, []string{`# tcp     = [443]`}},
		{"an action in text", Text, "blocked\ta.example\tTCP 443\tx", `the row says "blocked"`, nil},
		{"a state", HTML, `<tr><td>a.example</td><td>TCP 443</td><td>x</td><td>(deprecated)</td></tr>`, `the row says "(deprecated)"`, nil},

		// Ports behind the destination.
		{"a port without a protocol", CSV, `a.example:123,,x`, "no protocol is given for 123", []string{`# udp     = [123]`}},
		{"one port, two destinations", CSV, `https://a.example:8443 https://b.example,,x`, "not behind another", []string{`# to      = ["a.example", "b.example"]`}},
		{"two ports, two destinations", CSV, `https://a.example:8443 https://b.example:9443,,x`, "different ports: 8443 and 9443", nil},

		// Words around the value.
		{"two elements", HTML, `<tr><td><p>a.example</p>b.example and more</td><td>TCP 443</td><td>x</td></tr>`, "words beside the names", nil},
		{"unknown element", HTML, `<tr><td>a<region>.x.example</td><td>TCP 443</td><td>x</td></tr>`, "to be filled in", nil},

		// What is missing, and the lines to add.
		{"no protocol", CSV, `a.example,443,x`, "no protocol is given for 443", []string{`# to      = ["a.example"]`, `# tcp     = [443]`}},
		{"no protocol, and a port of UDP", CSV, `a.example,123,x`, "no protocol is given for 123", []string{`# udp     = [123]`}},
		{"two ports with a slash", CSV, `a.example,80/443,x`, "want ports with their protocol", []string{`# tcp     = [80, 443]`}},
		{"one port with its protocol, one without", CSV, `a.example,"443, 53(UDP)",x`, "no protocol is given for 443", []string{`# tcp     = [443]`, `# udp     = [53]`}},
		{"the other way round", CSV, `a.example,"53 UDP, 443",x`, "no protocol is given for 443", []string{`# tcp     = [443]`, `# udp     = [53]`}},
		{"with a slash", CSV, `a.example,"53/udp, 443",x`, "no protocol is given for 443", []string{`# tcp     = [443]`, `# udp     = [53]`}},
		{"a service's name", CSV, `a.example,"SMTP (25, 587)",x`, "want ports with their protocol", []string{`# tcp     = [25, 587]`}},
		{"UDP with words", CSV, `a.example,UDP 53 if needed,x`, "want ports with their protocol", []string{`# udp     = [53]`}},
		{"all ports", CSV, `a.example,ALL,x`, "can mean every port", []string{`# tcp     = [] # the ports, as 443, "8000-8010"; udp = [] likewise`}},
		{"a leading dot", CSV, `.x.example,TCP 443,x`, "or that name too", []string{`# to      = ["*.x.example"]`}},
		{"a placeholder in angle brackets", CSV, `"login.x.example, <tenant>.x.example",TCP 443,x`, `"<tenant>.x.example" has a part to be filled in`, []string{`# to      = ["login.x.example"] # and "<tenant>.x.example"`}},
		{"a placeholder alone", CSV, `[region].x.example,TCP 443,x`, "to be filled in", []string{`# to      = [] # the names for "[region].x.example"`}},
		{"a private address", CSV, `10.0.0.0/8,TCP 443,x`, "is private", []string{`# to      = [] # as "role:NAME", with NAME in binds`}},
		{"a role", CSV, `The manager,TCP 443,x`, "a role, perhaps", []string{`# to      = ["role:manager"] # if only the site knows its address: add "manager" to binds, below roles`}},
		{"a party of the site", CSV, `Your SIEM server,TCP 443,x`, "a role, perhaps", []string{`# id      = "siem-server"`, `# to      = ["role:siem-server"]`}},
		{"every host", CSV, `Any host,TCP 443,x`, "a role, perhaps", []string{`# to      = [] # the names or addresses, as "a.example", "192.0.2.0/24"`}},
		{"a wildcard in a proposal", CSV, `.a.example,TCP 443,x`, "can mean every name below", []string{`# to      = ["*.a.example"] # a wildcard: name the hosts, or say in a note that the document prints it`}},
		{"a URL without a port", CSV, `https://a.example/x,,x`, "the port is missing: the cell is empty", []string{`# tcp     = [443]`}},
	} {
		text := page(c.row)
		switch c.format {
		case CSV:
			text = "Host,Port,Purpose\n" + c.row
		case Markdown:
			text = "| Host | Port | Purpose |\n|---|---|---|\n" + c.row
		case Text:
			text = "Host\tPort\tPurpose\n" + c.row
		}
		d := read(t, c.format, text, Options{File: "ports"})
		out := string(d.TOML())
		if len(d.Rows) != 1 || d.Decided() != 0 || !strings.Contains(strings.Join(d.Rows[0].Doubts, "; "), c.doubt) {
			t.Errorf("%s: %d rows, %d rules, want one NOTE with %q:\n%s", c.name, len(d.Rows), d.Decided(), c.doubt, out)
			continue
		}
		note := "# NOTE: line 2 of ports is no rule yet: "
		if c.format == Markdown {
			note = strings.Replace(note, "2", "3", 1)
		}
		for _, line := range append(c.lines, note) {
			if !strings.Contains(out, "\n"+line) {
				t.Errorf("%s: the NOTE lacks %s\n%s", c.name, line, out)
			}
		}
	}
}

// What a browser does not show is no part of the document.
func TestUnseenParts(t *testing.T) {
	const good = "<tr><td>a.example<!-- b.example --><template> b.example</template><noscript> b.example</noscript></td><td>TCP 443</td><td>x</td></tr>\n"
	for _, unseen := range []string{
		"<!-- <tr><td>b.example</td><td>TCP 443</td></tr> -->",
		"<template><tr><td>b.example</td><td>TCP 443</td></tr></template>",
		"<script>'<tr><td>b.example</td><td>TCP 443</td></tr>'</script>",
	} {
		if d := read(t, HTML, page(unseen+good), Options{}); summary(d) != "a: [a.example] tcp [443] udp [] \"x\"\n" {
			t.Errorf("%s:\n%s", unseen, summary(d))
		}
	}
	d := read(t, Markdown, "| Host | Port | Purpose |\n|--|--|--|\n| a.example | TCP 443 | x |\n<!--\n| Host | Port | Purpose |\n|--|--|--|\n| b.example | TCP 443 | x |\n-->\n", Options{})
	if summary(d) != "a: [a.example] tcp [443] udp [] \"x\"\n" {
		t.Errorf("a comment in Markdown is read:\n%s", summary(d))
	}
}

// Marks beside the value do not take the rule away from a row that is clear.
func TestRowsThatStayRules(t *testing.T) {
	for row, want := range map[string]string{
		`<tr><td><code>a.example</code><code>b.example</code></td><td>TCP 443</td><td>x</td></tr>`:     `a: [a.example b.example] tcp [443] udp [] "x"`,
		`<tr><td><div>a.example</div>b.example</td><td>TCP 443</td><td>x</td></tr>`:                    `a: [a.example b.example] tcp [443] udp [] "x"`,
		`<tr><td>a.example</td><td>TCP 443</td><td>Room 5 m², 1ª, § 5</td></tr>`:                       `a: [a.example] tcp [443] udp [] "Room 5 m², 1ª, § 5"`,
		`<tr><td>https://a.example</td><td>443</td><td>x</td></tr>`:                                    `a: [a.example] tcp [443] udp [] "x"`,
		`<tr><td>https://a.example:8443/x</td><td></td><td>x</td></tr>`:                                `a: [a.example] tcp [8443] udp [] "x"`,
		`<tr><td><a href="https://a.example/#top">a.example</a></td><td>TCP <b>443</b></td><td>x</td>`: `a: [a.example] tcp [443] udp [] "x"`,
	} {
		got, _, _ := strings.Cut(summary(read(t, HTML, page(row), Options{})), "\n")
		if got != want && got != strings.Replace(want, "a: ", "row-2: ", 1) {
			t.Errorf("%s:\n%s\nwant\n%s", row, got, want)
		}
	}
	d := read(t, HTML, page(`<tr><td>http://a.example b.example</td><td>443</td><td>x</td></tr>`), Options{})
	if d.Decided() != 0 {
		t.Errorf("a URL gives its protocol to a plain name:\n%s", summary(d))
	}
}

// A table with a column for the ports of each protocol.
func TestTwoPortColumns(t *testing.T) {
	d := read(t, CSV, "Host,TCP port,UDP port,Purpose\na.example,443,53,x\nb.example,-,123,x\nc.example,443,,x\nd.example,443,53¹,x\ne.example,-,-,x\n", Options{})
	const want = `a: [a.example] tcp [443] udp [53] "x"
b: [b.example] tcp [] udp [123] "x"
c: [c.example] tcp [443] udp [] "x"
d: [d.example] tcp [] udp [] "x" DOUBT ["53¹" has a footnote mark: read the footnote]
e: [e.example] tcp [] udp [] "x" DOUBT [the port is missing: the cell is empty]
`
	if got := summary(d); got != want || !strings.Contains(string(d.TOML()), "# tcp     = [443]\n# udp     = [53]\n") {
		t.Errorf("got\n%swant\n%s\n%s", got, want, d.TOML())
	}
}

// Each NOTE is a rule when a person takes the marks away, if its lines are complete.
func TestNotesAreRulesWithoutTheirMarks(t *testing.T) {
	d := read(t, CSV, "Host,Port,Purpose\na.example,443,one\n10.1.1.1-20,TCP 443,two\nb.example¹,\"SMTP (25, 587)\",three\nc.example,TCP 443,\"four, if you use SSO\"\n\"d.example, <x>.d.example\",TCP 443,five\n", Options{})
	text := regexp.MustCompile(`(?m)^# (\[\[(?:rule|feature)\]\]|[a-z]+ +=)`).ReplaceAllString(string(d.TOML()), "$1")
	p, err := profile.Parse("draft", []byte(text))
	if err != nil || len(p.Rules) != 5 || len(p.Features) != 1 || len(p.Rules[3].When) != 1 {
		t.Errorf("%v\n%s", err, text)
	}
}

// A profile refuses control characters and characters that turn the direction of writing, so
// a draft has none of them.
func TestDraftHasNoCharactersThatATerminalObeys(t *testing.T) {
	const strange = "x\x1b[31m\u0085\u009b\u202e\u2066\x7f\u2028y"
	o := Options{File: strange, Title: strange, Product: strange, Version: strange, Name: "p", Role: "manager", Retrieved: "2026-05-01"}
	out := read(t, CSV, "Host,Port,Purpose\na.example,TCP 443,"+strange+"\n", o).TOML()
	if _, err := profile.Parse("draft.toml", out); err != nil || strings.ContainsAny(string(out), "\x1b\u0085\u009b\u202e\u2066\x7f\u2028") {
		t.Errorf("%v\n%q", err, out)
	}
}
