// Tests of every format: the golden files, what the head lists, and what no text of a
// document can do to a file.

package export

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"sallyport/rules"
)

// The exports of the made-up site are the files in testdata.
func TestGolden(t *testing.T) {
	p := server(t)
	for name, c := range map[string]struct {
		format  Format
		options Options
	}{
		"server.squid.conf": {Squid, Options{}}, "server.unbound.conf": {Unbound, Options{}}, "server.rpz": {RPZ, Options{}},
		"server.nft": {NFT, Options{}}, "server.names.edl": {EDL, Options{}}, "server.addresses.edl": {EDL, Options{Addresses: true}},
		"server.cilium.yaml": {Cilium, Options{}}, "server.pac": {PAC, Options{Proxy: "proxy.corp.example:3128"}}, "server.csv": {CSV, Options{}},
	} {
		got, _ := written(t, c.format, p, c.options)
		file := "testdata/" + name
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; UPDATE_GOLDEN=1 go test ./rules/export writes it anew\n%s", file, got)
		}
	}
}

// The head names the client, its sources' configuration, and each document; and each
// difference is in the head, once.
func TestHead(t *testing.T) {
	p := server(t)
	for _, f := range Formats() {
		text, diffs := written(t, f, p, Options{})
		if f == CSV {
			continue // a table has columns for the documents
		}
		head, _, _ := strings.Cut(text, "\n\n")
		for _, want := range []string{"client Server_1 of site.toml, revision", "made-up, role server, without cloud", "document: Ports and addresses, version 7, released 2026-03-01, https://vendor.example/ports"} {
			if !strings.Contains(head, want) {
				t.Errorf("%s: the head lacks %q:\n%s", f, want, head)
			}
		}
		for _, d := range diffs {
			if strings.Count(head, d.text()) != 1 {
				t.Errorf("%s: %q is not in the head once:\n%s", f, d, head)
			}
			for _, rule := range d.Rules {
				if !strings.Contains(head, "   "+rule) && !strings.Contains(head, ", "+rule) {
					t.Errorf("%s: %q: the head lacks the rule %s:\n%s", f, d, rule, head)
				}
			}
		}
		for _, rule := range []string{"made-up/update: Updates", "Ports and addresses, version 7, section 1", "note: printed as *.CDN.vendor.example", "site/mirror: TICKET-1, until the move"} {
			if f != NFT && !strings.Contains(text, rule) {
				t.Errorf("%s: no comment %q", f, rule)
			}
		}
	}
}

// What a format cannot say is listed, with its rules.
func TestDifferences(t *testing.T) {
	p := server(t)
	for _, c := range []struct {
		format  Format
		options Options
		wider   bool
		text    string
	}{
		{Squid, Options{}, false, "udp 123: Squid is a proxy for TCP (made-up/time)"},
		{Squid, Options{}, false, "udp 1514: Squid is a proxy for TCP (made-up/log)"},
		{Squid, Options{}, false, "the export permits TCP ports only (made-up/support)"},
		{Squid, Options{}, true, "does not compare the first bytes in a tunnel"},
		{Squid, Options{}, true, "the rule ends at 2027-07-01 00:00 UTC, but the export does not: export again at that time (site/mirror)"},
		{Unbound, Options{}, true, "does not see ports and protocols"},
		{Unbound, Options{}, true, "the names below it"},
		{Unbound, Options{}, true, "parts of the sources belong to other clients, 10.20.0.7, fd20::7"},
		{Unbound, Options{}, false, "addresses: a resolver has nothing to look up (made-up/support, made-up/log, site/mirror)"},
		{RPZ, Options{}, true, "use it in a view of 10.20.0.0/24, fd20::/64"},
		{RPZ, Options{}, true, "does not see ports and protocols"},
		{NFT, Options{}, false, "names: nftables knows addresses only (made-up/update, made-up/cdn, made-up/pinned, made-up/time, made-up/log, site/mirror)"},
		{EDL, Options{}, true, "a list has no ports and no sources"},
		{EDL, Options{}, false, "addresses: the list that export writes with --addresses has them (made-up/support, made-up/log, site/mirror)"},
		{EDL, Options{Addresses: true}, false, "names: the list that export writes without --addresses has them"},
		{Cilium, Options{}, true, "another name at the same address"},
		{Cilium, Options{}, false, `which reads "**." as "*." (made-up/cdn, site/mirror)`},
		{PAC, Options{}, false, "udp 123: a browser uses TCP (made-up/time)"},
		{PAC, Options{}, true, "it does not restrict a program that ignores it"},
		{CSV, Options{}, true, "parts of the sources belong to other clients"},
		{CSV, Options{}, false, "bind agent in [client.addresses] of the configuration of --config (made-up/agents)"},
	} {
		if _, diffs := written(t, c.format, p, c.options); !has(diffs, c.wider, c.text) {
			t.Errorf("%s: nothing says %q:\n%v", c.format, c.text, diffs)
		}
	}
}

// Without a site, a profile is exported for every client: formats with sources say so.
// Features are off until they are asked for.
func TestOfProfile(t *testing.T) {
	p := madeUp(t)
	for _, f := range Formats() {
		off, diffs := written(t, f, OfProfile(rules.ClientProfile{Profile: p, Role: "server"}, today), Options{})
		if says := has(diffs, true, "no sources are known"); says != (f == Squid || f == Unbound || f == NFT || f == CSV) {
			t.Errorf("%s: says that there are no sources: %t", f, says)
		}
		on, _ := written(t, f, OfProfile(rules.ClientProfile{Profile: p, Role: "server", Features: []string{"cloud"}}, today), Options{})
		if strings.Contains(off, "cloud.vendor.example") || f != NFT && !strings.Contains(on, "cloud.vendor.example") {
			t.Errorf("%s: the feature cloud does not decide about cloud.vendor.example", f)
		}
		if !has(diffs, false, "bind console in [client.addresses] of the configuration of --config (made-up/log)") {
			t.Errorf("%s: nothing says that console has no address: %v", f, diffs)
		}
	}
}

// A client whose sources belong to earlier clients has no export. A profile that the
// client does not have is an error, and the other profiles of the client are listed.
func TestOfClient(t *testing.T) {
	cfg, compiled := madeSite(t)
	if _, err := OfClient(&cfg.Spec, compiled, cfg.Clients[1], "absent"); err == nil || !strings.Contains(err.Error(), `does not have the profile "absent"`) {
		t.Errorf("absent profile: %v", err)
	}
	cfg.Clients[0].Sources = cfg.Clients[1].Sources
	if _, err := OfClient(&cfg.Spec, compiled, cfg.Clients[1], ""); err == nil || !strings.Contains(err.Error(), "earlier clients have all of its sources") {
		t.Errorf("no sources: %v", err)
	}
}

// A list of any length stays within the lines that Squid reads.
func TestSquidLinesAreShort(t *testing.T) {
	label := strings.Repeat("x", 60)
	r := &rules.Rule{Profile: "made-up", ID: "long", From: "server", TCP: rules.Ports{{First: 443, Last: 443}}, Document: &rules.Document{Title: "Long"}, Purpose: "p"}
	for i := range 1000 {
		n, err := rules.ParseName(fmt.Sprintf("n%d.%s.%s.%s.example", i, label, label, label))
		if err != nil {
			t.Fatal(err)
		}
		r.To = append(r.To, rules.Destination{Name: n})
	}
	p := &rules.Profile{Name: "made-up", Roles: []string{"server"}, Rules: []*rules.Rule{r}}
	text, _ := written(t, Squid, OfProfile(rules.ClientProfile{Profile: p, Role: "server"}, today), Options{})
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) >= 8192 {
			t.Fatalf("a line of %d octets", len(line))
		}
	}
	if n := strings.Count(text, label+".example"); n != 1000 {
		t.Errorf("%d names", n)
	}
}

// Squid takes what is behind the first 8,191 octets of a line for a line of its own, and no
// other program promises more. So no text of a document makes a long line of comment, whole
// characters stay whole, and no part of a text is lost.
func TestCommentsAreShort(t *testing.T) {
	filler := strings.Repeat("x", 8191-len("#   note: "))
	for name, text := range map[string]string{
		"one word": filler + "http_access allow all", "words": strings.Repeat("some words ", 1000), "three octets": strings.Repeat("語", 5000),
		"backslashes": strings.Repeat(`\`, 10_000), "formula": filler + "=1",
	} {
		p := free(t, text)
		for _, format := range Formats() {
			k, _ := kindOf(format)
			if k.comment == "" {
				continue // a table has cells, not comments
			}
			export, _ := written(t, format, p, Options{})
			if !utf8.ValidString(export) {
				t.Errorf("%s, %s: a character is cut in two", format, name)
			}
			for line := range strings.SplitSeq(export, "\n") {
				if strings.HasPrefix(strings.TrimSpace(line), k.comment) && len(line) > 1024 || strings.HasSuffix(line, `\`) {
					t.Errorf("%s, %s: a comment of %d octets, %.40q…", format, name, len(line), line)
				}
			}
			if name == "one word" && strings.Contains(export, "note:") && !strings.Contains(export, "http_access allow all\n") {
				t.Errorf("%s: the end of the note is lost", format)
			}
		}
	}
}

// A rule without anything that a format can say leaves a valid file that permits nothing.
func TestNothingIsPermitted(t *testing.T) {
	p := &Policy{Name: "nobody", Title: "nobody", Sources: server(t).Sources}
	for f, want := range map[Format]string{
		Squid: "http_access deny nobody_from", Unbound: `local-zone: "." always_nxdomain`, RPZ: "* CNAME .", NFT: "counter drop",
		Cilium: "- {}", PAC: "var rules = [\n];", CSV: "client,sources",
	} {
		text, _ := written(t, f, p, Options{})
		if !strings.Contains(text, want) || strings.Contains(text, "allow ") && f == Squid || strings.Contains(text, "passthru") {
			t.Errorf("%s:\n%s", f, text)
		}
	}
}
