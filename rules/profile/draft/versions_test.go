// Tests of the rules that a footnote with a version proposes. They stay comments.

package draft

import (
	"fmt"
	"strings"
	"testing"

	"sallyport/rules/profile"
)

func TestFootnoteWithAVersion(t *testing.T) {
	for _, c := range []struct{ ports, footnote, want string }{
		{"TCP 443, 80", "Port 80 is used only by servers older than 3.2.", "h tcp [443]|h-old tcp [80] until 3.2"},
		{"TCP 443", "From 3.2 on: also port 8443", "h tcp [443]|h-new tcp [8443] since 3.2"},
		{"TCP 443", "From version 3.2 on, also TCP ports 8443 and 8444 are used.", "h tcp [443]|h-new tcp [8443, 8444] since 3.2"},
		{"TCP 443", "As of release 3.2, port 8443/8444 too", "h tcp [443]|h-new tcp [8443, 8444] since 3.2"},
		{"TCP 443; UDP 514", "Port 514: 7 and later", "h tcp [443]|h-new udp [514] since 7"},
		{"TCP 443", "Only servers older than 3.2", "h tcp [443] until 3.2"},
		{"TCP 443", "No longer used since version 6.0.4", "h tcp [443] until 6.0.4"},
		{"TCP 443", "3.2 and later do not use this port", "h tcp [443]"},
		{"TCP 443; UDP 514", "From 3.2 on also port 9000", "h tcp [443] udp [514]"}, // TCP or UDP
		{"TCP 443", "Up to 3.2 also port 80", "h tcp [443]"},                        // with 3.2 or without it
	} {
		page := fmt.Sprintf("<table><tr><th>Host</th><th>Port</th><th>Purpose</th></tr><tr><td>h.vendor.example</td><td>%s</td><td>Updates<sup>1</sup></td></tr></table><p><sup>1</sup> %s</p>", c.ports, c.footnote)
		tables, err := Read(HTML, []byte(page))
		if err != nil {
			t.Fatal(err)
		}
		d, err := New(tables, Options{Name: "d", Title: "T", Role: "server"})
		if err != nil {
			t.Fatal(err)
		}
		text := d.TOML()
		p, err := profile.Parse("d", text)
		if err != nil || len(p.Rules) != 0 || len(p.Notes) != 1 {
			t.Fatalf("%s: %v: a proposal permits something, or is more than one NOTE\n%s", c.footnote, err, text)
		}
		var got []string
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "# ")), "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch key = strings.TrimSpace(key); key {
			case "id":
				got = append(got, value)
			case "tcp", "udp", "since", "until":
				got[len(got)-1] += " " + key + " " + value
			}
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s: %s, want %s", c.footnote, s, c.want)
		}
	}
}
