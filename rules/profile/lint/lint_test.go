// Tests of the checks: each finding has its line, its check and its cure, and a note in the
// rule answers it.

package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// head is the top of a made-up profile: eight lines, so that the first rule is on line 9.
const head = `name = "backup"
product = "Made-up Backup"
roles = ["server", "agent"]
[document]
title = "Requirements"
[[port]]
name = "control"
default = 8443
`

// row returns a rule of 7 lines, and one more line for each of more.
func row(id, from, to, ports string, more ...string) string {
	text := fmt.Sprintf("[[rule]]\nid = %q\nfrom = %q\nto = [%s]\n%s\npurpose = \"p\"\n", id, from, to, ports)
	for _, m := range more {
		text += m + "\n"
	}
	if !strings.Contains(strings.Join(more, ""), "section") {
		text += "section = \"1\"\n"
	}
	return text
}

// parsed returns a profile.
func parsed(t testing.TB, file, text string) *rules.Profile {
	t.Helper()
	p, err := profile.Parse(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ofRules returns the findings about rules. The profiles of these tests declare more than their
// rules need.
func ofRules(findings []Finding) []Finding {
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Check == Unused })
}

// found returns the findings of one text about rules, as lines.
func found(t *testing.T, text string, known ...*rules.Profile) string {
	t.Helper()
	var lines []string
	for _, f := range ofRules(Profiles([]*rules.Profile{parsed(t, "b.toml", text)}, known)) {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func TestEachCheckFindsItsMistake(t *testing.T) {
	ok := row("ok", "server", `"ok.vendor.com"`, "tcp = [443]")
	for _, c := range []struct{ what, text, want string }{
		{"nothing", ok, ""},
		{"a series of names is meant", row("u", "server", `"up.vendor.com", "up1.vendor.com", "up2.vendor.com", "up10.vendor.com"`, "tcp = [443]"), ""},
		{"countries are meant", row("u", "server", `"us.vendor.com", "uk.vendor.com"`, "tcp = [443]"), ""},
		{"single letters are meant", row("u", "server", `"a.vendor.com", "b.vendor.com"`, "tcp = [443]"), ""},
		{"two letters that are no countries", row("u", "server", `"ti.vendor.com", "tj.vendor.com"`, "tcp = [443]"), "tj.vendor.com is one edit away from ti.vendor.com"},
		{"one letter exchanged", row("u", "server", `"update.vendor.com"`, "tcp = [443]") + row("v", "server", `"udpate.vendor.com"`, "tcp = [443]"),
			`b.toml:16: warning: rule "v": udpate.vendor.com is one edit away from update.vendor.com (backup/u)`},
		{"one letter less", row("u", "server", `"update.vendor.com", "updae.vendor.com"`, "tcp = [443]"), "updae.vendor.com is one edit away from update.vendor.com"},
		{"one letter more", row("u", "server", `"update.vendor.com", "updatee.vendor.com"`, "tcp = [443]"), "updatee.vendor.com is one edit away from update.vendor.com"},
		{"another letter", row("u", "server", `"update.vendor.com", "updaté.vendor.com"`, "tcp = [443]"), ""}, // xn--: far away
		{"a digit for a letter", row("u", "server", `"sp1.vendor.com", "spl.vendor.com"`, "tcp = [443]"), "spl.vendor.com is one edit away from sp1.vendor.com"},
		{"two edits", row("u", "server", `"update.vendor.com", "updae2.vendor.com"`, "tcp = [443]"), ""},
		{"another domain", ok + row("v", "server", `"upd.vendro.com"`, "tcp = [443]"), `rule "v": upd.vendro.com: its domain vendro.com is one edit away from vendor.com, the domain of ok.vendor.com (backup/ok)`},
		{"another top-level domain", ok + row("v", "server", `"upd.vendor.co"`, "tcp = [443]"), `its domain vendor.co is one edit away from vendor.com`},
		{"the domain with fewer names", row("v", "server", `"upd.vendro.com"`, "tcp = [443]") + ok + row("w", "server", `"ww.vendor.com"`, "tcp = [443]"), `b.toml:9: warning: rule "v": upd.vendro.com: its domain`},
		{"the domain of another country", row("v", "server", `"upd.vendor.de", "upd.vendor.dk"`, "tcp = [443]"), ""},
		{"a content network", row("c", "server", `"d1.cloudfront.net"`, "tcp = [443]"), `rule "c": d1.cloudfront.net is a name of Amazon CloudFront: any customer can have such a name`},
		{"a content network's wildcard", row("c", "server", `"*.d1.azureedge.net"`, "tcp = [443]"), `*.d1.azureedge.net is a name of Azure CDN`},
		{"a host of all customers", row("c", "server", `"storage.googleapis.com"`, "tcp = [443]"), `storage.googleapis.com is Google Cloud Storage for all its customers`},
		{"below such a host", row("c", "server", `"bucket.storage.googleapis.com"`, "tcp = [443]"), `bucket.storage.googleapis.com is a name of Google Cloud Storage: any customer`},
		{"a wildcard above such a host", row("c", "server", `"*.windows.net"`, "tcp = [443]"), `*.windows.net also permits blob.core.windows.net, where every customer of Azure Blob Storage`},
		{"beside such a host", row("c", "server", `"login.windows.net"`, "tcp = [443]"), ""},
		{"the owner's own name", row("c", "server", `"fastly.net"`, "tcp = [443]"), ""},
		{"below a public suffix", row("c", "server", `"oauth2.googleapis.com"`, "tcp = [443]"), `oauth2.googleapis.com is below the public suffix googleapis.com: the names there can have different owners`},
		{"a public suffix", row("c", "server", `"co.uk"`, "tcp = [443]"), `co.uk is a public suffix: it belongs to a registry`},
		{"one label", row("c", "server", `"fileserver"`, "tcp = [443]"), `fileserver has only one label`},
		{"a wildcard among exact names", ok + row("w", "server", `"*.vendor.com"`, "tcp = [443]"),
			`b.toml:16: warning: rule "w": *.vendor.com permits every name below vendor.com, but this profile also lists exact names (it also permits ok.vendor.com, which has the rule "ok"); name the hosts`},
		{"a wildcard beside the exact names", ok + row("o", "server", `"ok.vendor.com"`, "tcp = [80]") + row("w", "server", `"*.cdn.vendor.com"`, "tcp = [443]"),
			`b.toml:23: warning: rule "w": *.cdn.vendor.com permits every name below cdn.vendor.com, but this profile also lists exact names (it covers none of them); name the hosts`},
		{"one wildcard in two rules", ok + row("w", "server", `"*.cdn.vendor.com"`, "tcp = [443]") + row("x", "server", `"*.cdn.vendor.com"`, "tcp = [80]"), `rule "x": *.cdn.vendor.com permits`},
		{"wildcards are the rule", row("w", "server", `"*.one.vendor.com", "*.two.vendor.com", "ok.vendor.com"`, "tcp = [443]"), ""},
		{"no section", row("s", "server", `"ok.vendor.com"`, "tcp = [443]", "section = \" \""), `b.toml:9: warning: rule "s": section is missing`},
		{"a blank purpose", strings.Replace(ok, `"p"`, `" "`, 1), `b.toml:9: warning: rule "ok": purpose is blank`},
		{"many ports", row("p", "server", `"ok.vendor.com"`, `tcp = ["20000-21000"]`), `tcp 20000-21000 are 1001 ports, more than 1000`},
		{"a thousand ports", row("p", "server", `"ok.vendor.com"`, `tcp = ["20000-20999"]`), ""},
		{"many UDP ports in two ranges", row("p", "server", `"ok.vendor.com"`, `udp = ["20000-20999", "22000-22999"]`), `udp 20000-20999, 22000-22999 are 2000 ports`},
		{"every port", row("p", "server", `"ok.vendor.com"`, `tcp = "all"`), `tcp = "all" permits every port`},
		{"every protocol", row("p", "server", `"192.0.0.250"`, `any = true`), `any = true permits every protocol and port`},
		{"a private address", row("a", "server", `"10.1.2.3"`, "tcp = [443]"), `10.1.2.3 is private (RFC 1918): no host of a vendor has such an address`},
		{"a prefix with a special range", row("a", "server", `"192.0.0.0/8"`, "tcp = [443]"), `192.0.0.0/8 contains 192.0.0.0/24, which is for IETF protocols`},
		{"a translated address", row("a", "server", `"2a00:1:2:3:0:5efe:10.1.2.3"`, "tcp = [443]"), `is no ordinary address of the Internet`},
		{"an ordinary address", row("a", "server", `"121.46.26.221", "2a00:1::1"`, "tcp = [443]"), ""},
		{"a port of another role", row("a", "agent", `"role:server"`, `tcp = ["control"]`) + row("b", "server", `"role:server"`, "tcp = [8443]"),
			`b.toml:16: warning: rule "b": tcp 8443 to role:server is the [[port]] "control", which only rules from role agent use`},
		{"the same role by number", row("a", "agent", `"role:server"`, `tcp = ["control"]`) + row("b", "agent", `"role:server"`, "tcp = [8443]"), ""},
		{"the same number elsewhere", row("a", "agent", `"role:server"`, `tcp = ["control"]`) + row("b", "server", `"ok.vendor.com"`, "tcp = [8443]"), ""},
	} {
		if got := found(t, head+c.text); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// Names are compared with the names of the known profiles, at any place of the checked
// profile.
func TestNamesOfKnownProfiles(t *testing.T) {
	known := parsed(t, "known.toml", strings.Replace(head, "backup", "sangfor", 1)+row("upd", "server", `"upd.sangfor.com"`, "tcp = [443]"))
	for to, want := range map[string]string{
		"upd.snagfor.com":     "upd.snagfor.com: its domain snagfor.com is one edit away from sangfor.com, the domain of upd.sangfor.com (sangfor/upd)",
		"udp.sangfor.com":     "udp.sangfor.com is one edit away from upd.sangfor.com (sangfor/upd)",
		"upd.sangfor.com":     "",
		"license.sangfor.com": "",
		"upd.sangfor.net":     "",
	} {
		got := found(t, head+row("r", "server", `"`+to+`"`, "tcp = [443]"), known)
		if want == "" && got != "" || !strings.Contains(got, want) || strings.Contains(got, "known.toml:") {
			t.Errorf("%s: %q, want %q", to, got, want)
		}
	}
}

// A new revision of a known profile that gives a port to another role is a finding.
func TestAPortThatTheKnownRevisionGivesToAnotherRole(t *testing.T) {
	known := parsed(t, "known.toml", head+row("a", "agent", `"role:server"`, "tcp = [8443, 9000]")+row("b", "server", `"role:agent"`, "tcp = [22]"))
	got := found(t, head+row("a", "server", `"role:server"`, "tcp = [9000, 9001]"), known)
	if !strings.Contains(got, `b.toml:9: warning: rule "a": tcp 9000 to role:server is for role agent in known.toml, and not for server`) || strings.Contains(got, "9001 to") {
		t.Errorf("%q", got)
	}
	if got := found(t, head+row("a", "agent", `"role:server"`, "tcp = [9000, 9001]"), known); got != "" {
		t.Errorf("the same role: %q", got)
	}
}

// A note explains a finding if it has the name, address or port in it, as a whole word. The
// finding stays visible.
func TestANoteExplainsAFinding(t *testing.T) {
	for _, c := range []struct {
		what, to, ports, note string
		noted                 bool
	}{
		{"the name", `"d1.cloudfront.net"`, "tcp = [443]", "The document prints d1.cloudfront.net.", true},
		{"the name at the beginning", `"d1.cloudfront.net"`, "tcp = [443]", "d1.cloudfront.net: as printed", true},
		{"another name", `"d1.cloudfront.net"`, "tcp = [443]", "The document prints xd1.cloudfront.net and d1.cloudfront.net.cn", false},
		{"a note about something else", `"d1.cloudfront.net"`, "tcp = [443]", "A merged cell.", false},
		{"the address", `"10.1.2.3"`, "tcp = [443]", "10.1.2.3 is the appliance's default.", true},
		{"a longer address", `"10.1.2.3"`, "tcp = [443]", "Not 10.1.2.30.", false},
		{"ALL", `"121.46.26.221"`, "any = true", "The document prints ALL.", true},
		{"all", `"121.46.26.221"`, "any = true", "all is well", false},
		{"the range", `"a.vendor.com"`, `tcp = ["2000-4000"]`, "2000-4000 is the range of RPC.", true},
	} {
		p := parsed(t, "b.toml", head+row("r", "server", c.to, c.ports, "note = \""+c.note+"\""))
		findings := ofRules(Profiles([]*rules.Profile{p}, nil))
		if len(findings) != 1 {
			t.Errorf("%s: %v", c.what, findings)
			continue
		}
		f := findings[0]
		if f.Noted() != c.noted || (len(Problems(findings)) == 0) != c.noted {
			t.Errorf("%s: noted %v, problems %v", c.what, f.Noted(), Problems(findings))
		}
		if line := f.String(); c.noted && (!strings.HasPrefix(line, "b.toml:9: noted: ") || !strings.HasSuffix(line, "(note: "+c.note+")")) {
			t.Errorf("%s: %q", c.what, line)
		}
	}
	p := parsed(t, "b.toml", head+row("r", "server", `"a.vendro.com"`, "tcp = [443]", `note = "vendro.com is not vendor.com"`))
	known := parsed(t, "k.toml", head+row("r", "server", `"a.vendor.com"`, "tcp = [443]"))
	if findings := ofRules(Profiles([]*rules.Profile{p}, []*rules.Profile{known})); len(findings) != 1 || !findings[0].Noted() {
		t.Errorf("a note that names the other domain: %v", findings)
	}
}
