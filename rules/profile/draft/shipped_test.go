// Tests that the draft of each shipped profile's document is that profile, but
// for what a person decided: the list below. The texts are the tables of the
// documents as a PDF reader gives them.

package draft

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sallyport/rules/profile"
)

// decidedByHand has, for each text, the rows that no program can read: the
// beginning of the row, and the decision of the person who typed the profile.
var decidedByHand = map[string][][2]string{
	"endpoint-secure.txt": {
		{"TCP: 443 | WebUI", "a merged cell: the destination is role:manager"},
		{"TCP: 4430 |", "a merged cell: role:manager, and a port that can be configured"},
		{"TCP: 8083 |", "a merged cell: role:manager"},
		{"TCP: 54120 |", "a merged cell: role:manager"},
		{"On-premises manager IP |", "a party: role:manager"},
		{"TCP: 4460 |", "a merged cell: role:manager"},
		{"13.94.16.103 | ALL", "every protocol and port"},
	},
	"cyber-command.txt": {
		{"CC's IP address is 443,", "the function column gives the direction"},
		{"CC's IP address is 4430.", "the function column gives the directions"},
		{"CC's IP address is 7443.", "the function column gives the directions; 4430 is a misprint"},
		{"IAG's IP address is", "the function column gives the directions"},
		{"DNS server on CC", "a party: role:dns-server"},
		{"edrsaas.sangfor.com", "ports without a protocol are TCP"},
		{"edragent.sangfor.com", "ports without a protocol are TCP"},
	},
	"symantec-ports.txt": nil, // it lists ports only: each row is about parties
}

func TestDraftOfShippedDocuments(t *testing.T) {
	for text, names := range map[string][]string{
		"endpoint-secure.txt": {"endpoint-secure-onprem", "endpoint-secure-saas"},
		"cyber-command.txt":   {"cyber-command"},
		"symantec-ports.txt":  {"symantec-endpoint-protection"},
	} {
		d := draftOf(t, text)
		shipped, conditional := shippedRules(t, names)
		for _, e := range d.Rows {
			if e.Doubts != nil && !slices.ContainsFunc(e.Doubts, func(s string) bool {
				return !strings.HasPrefix(s, "the row states a condition") && !strings.HasPrefix(s, "the row names a version")
			}) {
				// The doubt is right if the profile has a condition too.
				rule := reachOf(e.Section, e.Likely.To, e.Likely.TCP, e.Likely.UDP)
				if i := slices.Index(shipped, rule); i < 0 || !conditional[rule] {
					t.Errorf("%s line %d: %v, and the shipped profile has no condition there", text, e.Line, e.Doubts)
				} else {
					shipped = slices.Delete(shipped, i, i+1)
				}
				continue
			}
			hand := slices.ContainsFunc(decidedByHand[text], func(h [2]string) bool { return strings.HasPrefix(e.Text, h[0]) })
			rule := reachOf(e.Section, e.To, e.TCP, e.UDP)
			switch {
			case len(e.Doubts) > 0 && !hand && text != "symantec-ports.txt":
				t.Errorf("%s line %d: %q is no rule: %v", text, e.Line, e.Text, e.Doubts)
			case len(e.Doubts) == 0 && hand:
				t.Errorf("%s line %d: %q became a rule, though only a person can read it", text, e.Line, e.Text)
			case len(e.Doubts) == 0 && !slices.Contains(shipped, rule):
				t.Errorf("%s line %d: the draft has %q, which no shipped rule says", text, e.Line, rule)
			case len(e.Doubts) == 0 && conditional[rule]:
				t.Errorf("%s line %d: %q became a rule, and the shipped profile has a condition there", text, e.Line, e.Text)
			case len(e.Doubts) == 0:
				shipped = slices.Delete(shipped, slices.Index(shipped, rule), slices.Index(shipped, rule)+1)
			}
		}
		for _, left := range shipped {
			if strings.Contains(left, "role:") || strings.Contains(left, "13.94.16.103") || strings.Contains(left, "8083") {
				continue // from a row that a person decided
			}
			t.Errorf("%s: the draft lacks the shipped %q", text, left)
		}
	}
}

// The draft reads the ports of a row even if a person has to decide its
// destination.
func TestDraftOfPortsAlone(t *testing.T) {
	d := draftOf(t, "symantec-ports.txt")
	var got, stated []string
	for _, e := range d.Rows {
		got = append(got, strings.Join(e.TCP, ",")+"/"+strings.Join(e.UDP, ","))
		if e.Purpose == "" || len(e.Doubts) == 0 || !strings.Contains(e.Doubts[0], "destination is missing") {
			t.Errorf("line %d: %q %v", e.Line, e.Purpose, e.Doubts)
		}
		for _, d := range e.Doubts[1:] {
			stated = append(stated, fmt.Sprintf("%s: %s", strings.Join(append(e.TCP, e.UDP...), ","), d))
		}
	}
	// These rows have conditions and versions beside that: "optional", "from version", "if".
	for _, want := range []string{"2968: ", "443: ", "443: ", "443: ", "8081,8082: ", "8446: ", "8447: ", "514: "} {
		if len(stated) == 0 || !strings.HasPrefix(stated[0], want+"the row names a version") && !strings.HasPrefix(stated[0], want+"the row states a condition") {
			t.Fatalf("want a condition of port %s%q", want, stated)
		}
		stated = stated[1:]
	}
	if len(stated) > 0 {
		t.Errorf("more conditions: %q", stated)
	}
	const want = "139,445/137,138 22/ 2967/ 2968/ 2638/ 1433/ 8443/ 8444/ 9090/ 8014/ 443/ 443/ 443/ 8081,8082/ 8445/ 8446/ 8447/ 8765/ 1100/ /514"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("ports %s\nwant  %s", s, want)
	}
}

func draftOf(t *testing.T, text string) *Draft {
	t.Helper()
	b, err := os.ReadFile("testdata/" + text)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := Read(Text, b)
	if err != nil {
		t.Fatal(text, err)
	}
	d, err := New(tables, Options{Name: "made-up", Product: "P", Title: "T", Role: "manager"})
	if err != nil {
		t.Fatal(text, err)
	}
	p, err := profile.Parse(text, d.TOML())
	if err != nil {
		t.Fatalf("%s: the draft is no profile: %v", text, err)
	}
	if len(p.Rules) != d.Decided() {
		t.Errorf("%s: %d rules in the profile, %d rows decided", text, len(p.Rules), d.Decided())
	}
	return d
}

// reachOf returns the destinations and ports of a rule in one fixed form.
func reachOf(section string, to, tcp, udp []string) string {
	sorted := func(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), ",") }
	return fmt.Sprintf("section %s: %s tcp %s udp %s", section, sorted(to), sorted(tcp), sorted(udp))
}

// shippedRules returns what the rules of profiles permit, and which of them have a condition.
func shippedRules(t *testing.T, names []string) (out []string, conditional map[string]bool) {
	t.Helper()
	conditional = map[string]bool{}
	for _, name := range names {
		b, err := os.ReadFile("../../../configs/profiles/" + name + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(name, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rules {
			var to []string
			for _, d := range r.To {
				to = append(to, d.String())
			}
			rule := reachOf(r.Section, to, strings.Split(r.TCP.String(), ", "), strings.Split(r.UDP.String(), ", "))
			out, conditional[rule] = append(out, rule), len(r.When) > 0 || r.Since != "" || r.Until != ""
		}
	}
	return out, conditional
}
