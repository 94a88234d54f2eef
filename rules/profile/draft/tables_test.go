// Tests of formats: the same table, however it is written.

package draft

import (
	"fmt"
	"strings"
	"testing"
)

// wanted is the result for each form of the same table.
const wanted = `a: [a.example] tcp [443 80] udp [] "one"
b: [b.example] tcp [443] udp [] "two"
c: [c.example] tcp [443] udp [53] "two"
`

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format Format
		text   string
	}{
		{CSV, "Domain,Port,Description\na.example,\"TCP: 443, 80\",one\nb.example,TCP: 443,two\nc.example,\"TCP 443, UDP 53\",two\n"},
		{CSV, "\ufeffDomain;Port;Description\r\na.example;TCP: 443, 80;one\r\nb.example;TCP: 443;two\r\nc.example;TCP 443, UDP 53;two\r\n"},
		{TSV, "Domain\tPort\tDescription\na.example\tTCP: 443, 80\tone\nb.example\tTCP: 443\ttwo\nc.example\tTCP 443, UDP 53\ttwo\n"},
		{Markdown, "# Page\n\n| Domain | Port | Description |\n|---|:-:|---|\n| `a.example` | TCP: 443, 80 | one |\n| b.example | TCP: 443 | two |\n| c.example | TCP 443<br>UDP 53 | two |\n\nMore text.\n"},
		{HTML, `<!DOCTYPE html><table><tr><th>Domain<th>Port<th>Description</tr>
<tr><td>a.example</td><td>TCP: 443, 80</td><td>one</td></tr>
<tr><td>b.example</td><td>TCP: 443</td><td rowspan="2">two</td></tr>
<tr><td>c.example</td><td>TCP 443<br>UDP 53</td></tr></table>`},
		{Text, "1 Addresses\n\nDomain\tPort\tDescription\na.example\tTCP: 443, 80\tone\n\n\tb.example\tTCP: 443\ttwo\nc.example\tTCP 443, UDP 53\ttwo\n"},
	} {
		tables, err := Read(c.format, []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.format, err)
			continue
		}
		d, err := New(tables, Options{Role: "manager"})
		if err != nil {
			t.Errorf("%s: %v", c.format, err)
			continue
		}
		if got := summary(d); got != wanted {
			t.Errorf("%s:\n%swant\n%s", c.format, got, wanted)
		}
	}
}

// summary writes each entry on a line, doubts in brackets.
func summary(d *Draft) string {
	var b strings.Builder
	for _, e := range d.Rows {
		fmt.Fprintf(&b, "%s: %v tcp %v udp %v %q", e.ID, e.To, e.TCP, e.UDP, e.Purpose)
		if len(e.Doubts) > 0 {
			fmt.Fprintf(&b, " DOUBT %v", e.Doubts)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The draft finds columns by number and by title, and the protocol in a column of its
// own.
func TestColumns(t *testing.T) {
	tables, err := Read(CSV, []byte("Service,What,Where,How,Port\nUpdates,x,a.example,TCP,443\nTime,x,b.example,UDP,123\nOdd,x,c.example,GRE,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(tables, Options{Columns: map[string]int{"host": 3, "port": 5, "protocol": 4, "purpose": 1}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `a: [a.example] tcp [443] udp [] "Updates"
b: [b.example] tcp [] udp [123] "Time"
c: [c.example] tcp [] udp [] "Odd" DOUBT [protocol "GRE" is neither TCP nor UDP no protocol is given for 1: TCP or UDP]
`
	if got := summary(d); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if _, err := New(tables, Options{Columns: map[string]int{"hots": 3}}); err == nil || !strings.Contains(err.Error(), "hots=3") {
		t.Errorf("a column that does not exist: %v", err)
	}
	if _, err := New(tables, Options{Protocol: "sctp"}); err == nil {
		t.Error("sctp is taken for a protocol")
	}
}

// On a page with merged cells and several tables, the section is the heading above.
func TestPageOfAVendor(t *testing.T) {
	tables, err := Read(HTML, []byte(`<html><body><h2>3.1 Cloud</h2>
<table><thead><tr><th>FQDN</th><th>TCP port</th></tr></thead>
<tr><td><a href="https://elsewhere.example">a.example</a></td><td rowspan=2>443</td></tr>
<tr><td>b.example</td></tr></table>
<h2>Icons</h2><table><tr><td>Danger</td><td>Loss of life</td></tr></table>
<script>document.write("<table><tr><td>evil.example</td><td>TCP 1</td></tr></table>")</script></body></html>`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(tables, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := summary(d)
	if !strings.HasPrefix(got, "a: [a.example] tcp [443] udp [] \"\"\nb: [b.example] tcp [443] udp [] \"\"\n") {
		t.Errorf("got\n%s", got)
	}
	if strings.Contains(got, "evil") || strings.Contains(got, "elsewhere") {
		t.Errorf("a script or a link's target became a rule:\n%s", got)
	}
	if d.Rows[0].Section != "3.1" || d.Rows[0].Line != 3 || d.Decided() != 2 {
		t.Errorf("section %q, line %d, %d rules", d.Rows[0].Section, d.Rows[0].Line, d.Decided())
	}
}

func TestNoTable(t *testing.T) {
	for _, f := range Formats() {
		if _, err := Read(f, nil); err == nil {
			t.Errorf("%s: an empty document has a table", f)
		}
	}
	if _, err := Read("docx", []byte("x")); err == nil || !strings.Contains(err.Error(), "markdown") {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := Read(CSV, make([]byte, maxDocument+1)); err == nil {
		t.Error("a document over the limit is read")
	}
	for file, want := range map[string]Format{"a.CSV": CSV, "a.tsv": TSV, "a.md": Markdown, "a.htm": HTML, "a.txt": Text, "page": HTML} {
		if got := FormatOf(file, []byte(" <!DOCTYPE html>")); got != want && file != "a.txt" {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}
