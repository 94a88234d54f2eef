// Tests of cells: what vendors write, and what a rule may be made of it.

package draft

import (
	"slices"
	"strings"
	"testing"
)

// A vendor's document or web page uses each of these forms.
func TestPortsCell(t *testing.T) {
	tcp := protocols{tcp: true}
	for _, c := range []struct {
		cell     string
		given    protocols
		tcp, udp string // with spaces between
		doubt    string // part of a doubt; then the cell gives no port
	}{
		{"TCP: 443", protocols{}, "443", "", ""},
		{"TCP: 443, 80", protocols{}, "443 80", "", ""},
		{"TCP: 443,", protocols{}, "443", "", ""},
		{"443(TCP),4430(TCP),4488(TCP)", protocols{}, "443 4430 4488", "", ""},
		{"80(TCP),443(TCP),53(UDP)", protocols{}, "80 443", "53", ""},
		{"53(UDP)", protocols{}, "", "53", ""},
		{"53 (UDP)", protocols{}, "", "53", ""},
		{"5000 (TCP, UDP)", protocols{}, "5000", "5000", ""},
		{"TCP 139, 445\nUDP 137, 138", protocols{}, "139 445", "137 138", ""},
		{"TCP 443, UDP 53", protocols{}, "443", "53", ""},
		{"443 TCP, 53 UDP", protocols{}, "443", "53", ""},
		{"443 TCP", protocols{}, "443", "", ""},
		{"443/tcp", protocols{}, "443", "", ""},
		{"tcp/443", protocols{}, "443", "", ""},
		{"443/tcp, 53/udp", protocols{}, "443", "53", ""},
		{"TCP/UDP 53", protocols{}, "53", "53", ""},
		{"TCP 8000-8010", protocols{}, "8000-8010", "", ""},
		{"TCP 8000 – 8010", protocols{}, "8000-8010", "", ""},
		{"TCP 8000 to 8010", protocols{}, "8000-8010", "", ""},
		{"HTTPS 8082", protocols{}, "8082", "", ""},
		{"HTTPS (443)", protocols{}, "443", "", ""},
		{"HTTP, HTTPS", protocols{}, "80 443", "", ""},
		{"8083,443,54120,80", tcp, "8083 443 54120 80", "", ""},
		{"443", protocols{tcp: true, udp: true}, "443", "443", ""},

		{"8083,443,54120,80", protocols{}, "", "", "no protocol is given for 8083, 443, 54120, 80"},
		{"443, 80 TCP", protocols{}, "", "", "no protocol is given for 443"},
		{"ALL", tcp, "", "", "can mean"},
		{"any", tcp, "", "", "can mean"},
		{"443 or 4430", tcp, "", "", "not understood"},
		{"all but TCP 443", tcp, "", "", "can mean"},
		{"TCP 443 (optional)", tcp, "", "", "not understood"},
		{"443 (SCTP)", tcp, "", "", "not understood"},
		{"TCP 0", tcp, "", "", "not a port"},
		{"TCP 70000", tcp, "", "", "not a port"},
		{"TCP 8010-8000", tcp, "", "", "not a range"},
		{"not TCP 443", tcp, "", "", "not understood"},
		{"443 (80)", tcp, "", "", "not understood"},
	} {
		got := readPorts(c.cell, c.given)
		if strings.Join(got.tcp, " ") != c.tcp || strings.Join(got.udp, " ") != c.udp {
			t.Errorf("%q: tcp %q, udp %q; want %q, %q (doubts %q)", c.cell, got.tcp, got.udp, c.tcp, c.udp, got.doubts)
		}
		if (c.doubt == "") != (len(got.doubts) == 0) || !strings.Contains(strings.Join(got.doubts, "; "), c.doubt) {
			t.Errorf("%q: doubts %q; want %q", c.cell, got.doubts, c.doubt)
		}
	}
}

func TestDestinationCell(t *testing.T) {
	for _, c := range []struct {
		cell, to string // with spaces between
		doubt    string
	}{
		{"update1.sangfor.net update2.sangfor.net", "update1.sangfor.net update2.sangfor.net", ""},
		{"a.example,\nb.example; c.example", "a.example b.example c.example", ""},
		{"Intelligence.sea.sangfor.com", "intelligence.sea.sangfor.com", ""},
		{"• a.example\n• b.example", "a.example b.example", ""},
		{"a.example and b.example", "a.example b.example", ""},
		{"*.x.example", "*.x.example", ""},
		{"x.example/*", "x.example", ""},
		{"https://x.example:8443/path", "x.example", ""},
		{"<https://x.example>", "x.example", ""},
		{"13.94.16.103", "13.94.16.103", ""},
		{"198.51.0.0/16 2001:db8::/32", "198.51.0.0/16 2001:db8::/32", ""},
		{"2001:db8::1", "2001:db8::1", ""},
		{"x.example.", "x.example", ""},

		{".x.example", "", "or that name too"},
		{"[region].x.example", "", "to be filled in"},
		{"<region>.x.example", "", "to be filled in"},
		{"{tenant}.x.example", "", "to be filled in"},
		{"*.com", "", "anyone can register a name under this public suffix"},
		{"*cdn.x.example", "", "star inside or after a label"},
		{"a.*.x.example", "", "star inside or after a label"},
		{"192.0.2.1-192.0.2.9", "", "a range"},
		{"On-premises manager IP", "", "a role, perhaps"},
		{"CC's IP address is 443, 4430, or 4488.", "", "a role, perhaps"},
		{"DNS server on CC", "", "a role, perhaps"},
		{"all but x.example", "", "words beside the names"},
		{"x.example (not y.example)", "", ""},
		{"exa..mple.com", "", "not a name"},
		{"10.0.0.0/8", "", "is private"},
		{"192.168.1.7", "", "is private"},
		{"https://192.168.1.7:8443/", "", "is private"},
		{"fd00::/8", "", "is private"},
		{"100.64.1.0/24", "", "is private"},
		{"169.254.169.254", "", "is private"},
		{"127.0.0.1", "", "is private"},
		{"0.0.0.0/0", "", "is every address"},
		{"198.51.100.7, 10.1.2.3", "", "is private"},
		{"-x.example", "", "not a name"},
	} {
		got := readDestinations(c.cell)
		if strings.Join(got.to, " ") != c.to {
			t.Errorf("%q: %q, want %q (doubts %q)", c.cell, got.to, c.to, got.doubts)
		}
		if c.to == "" && len(got.doubts) == 0 || !strings.Contains(strings.Join(got.doubts, "; "), c.doubt) {
			t.Errorf("%q: doubts %q, want %q", c.cell, got.doubts, c.doubt)
		}
	}
}

// A doubtful row stands in the draft as a comment, and permits nothing.
func TestDoubtfulRowIsNoRule(t *testing.T) {
	tables, err := Read(CSV, []byte("Host,Ports,Purpose\na.example,TCP: 443,one\nb.example,ALL,two\nall but c.example,TCP: 443,three\n"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(tables, Options{Name: "made-up", Product: "P", Title: "T", Role: "manager"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(d.TOML())
	for line := range strings.Lines(text) {
		if strings.Contains(line, "b.example") || strings.Contains(line, "c.example") {
			if !strings.HasPrefix(line, "#") {
				t.Errorf("not a comment: %s", line)
			}
		}
	}
	if !strings.Contains(text, "# NOTE: line 3 is no rule yet") || !strings.Contains(text, "# NOTE: line 4 is no rule yet") {
		t.Errorf("the doubtful rows are not marked:\n%s", text)
	}
	if n := d.Decided(); n != 1 {
		t.Errorf("%d rules, want 1", n)
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		to   []string
		want string
	}{
		{[]string{"license.sangfor.com"}, "license"},
		{[]string{"auth.sea.sangfor.com"}, "auth-sea"},
		{[]string{"update1.sangfor.net", "update2.sangfor.net"}, "update"},
		{[]string{"*.cdn.x.example"}, "cdn"},
		{[]string{"x.example"}, "x"},
		{[]string{"192.0.2.1"}, "address-192-0-2-1"},
	} {
		if got := idOf(c.to); got != c.want {
			t.Errorf("%v: %q, want %q", c.to, got, c.want)
		}
	}
	if !slices.Contains(Columns(), "host") {
		t.Error("no column for the host")
	}
}
