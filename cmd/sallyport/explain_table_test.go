// Explain's table: every documented row is allowed, and each question right beside it is denied with the right reason.

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/gateway"
)

// A clientSite is the configuration of one client of one profile.
type clientSite struct {
	profile, role string
	features      string // joined by commas
	version       string
	ports         string // "name = number"
	unbound       bool   // no party is bound to an address
}

// parties returns the parties of each profile's document, and gives each party
// an address of the site's: 10.20.0.1, 10.20.0.2, and so on.
func parties(t *testing.T) (of map[string][]string, address map[string]string) {
	t.Helper()
	profiles, err := gateway.ShippedProfiles()
	if err != nil {
		t.Fatal(err)
	}
	of, address = map[string][]string{}, map[string]string{}
	for _, p := range profiles {
		of[p.Name] = slices.Concat(p.Roles, p.Binds)
		for _, party := range of[p.Name] {
			if address[party] == "" {
				address[party] = fmt.Sprintf("10.20.0.%d", len(address)+1)
			}
		}
	}
	return of, address
}

// config writes the site's configuration and returns its path.
func (s clientSite) config(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[[client]]\nname = \"c\"\nsources = [\"127.0.0.1\"]\nprofiles = [%q]\nrole = %q\n", s.profile, s.role)
	if s.features != "" {
		fmt.Fprintf(&b, "features = [\"%s\"]\n", strings.ReplaceAll(s.features, ",", `", "`))
	}
	if s.version != "" {
		fmt.Fprintf(&b, "version = %q\n", s.version)
	}
	if s.ports != "" {
		fmt.Fprintf(&b, "ports = { %s }\n", s.ports)
	}
	if !s.unbound {
		b.WriteString("[client.addresses]\n")
		of, address := parties(t)
		for _, party := range of[s.profile] {
			fmt.Fprintf(&b, "%s = [%q]\n", party, address[party])
		}
	}
	path := filepath.Join(t.TempDir(), "sallyport.toml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An asked is one question to explain, with the expected answer.
type asked struct {
	site   clientSite
	line   string // PROTO HOST PORT; a host like <manager> is that party's address
	reason string // "": allow
	near   bool   // a documented rule is near and must be named
	hint   string // text that the hint must contain; "": any hint will do
}

// An answer is one line of explain --json.
type answer struct{ Verdict, Reason, Rule, Source, Nearest, Hint string }

// ask asks the questions, in one batch for each site, and checks the answers.
func ask(t *testing.T, questions []asked) {
	t.Helper()
	_, address := parties(t)
	batches := map[clientSite][]asked{}
	for _, q := range questions {
		for party, addr := range address {
			q.line = strings.Replace(q.line, "<"+party+">", addr, 1)
		}
		batches[q.site] = append(batches[q.site], q)
	}
	for s, batch := range batches {
		var in, out, diag strings.Builder
		for _, q := range batch {
			in.WriteString(q.line + "\n")
		}
		code := execute(t.Context(), []string{"explain", "--config", s.config(t), "--client", "c", "--json", "-"}, strings.NewReader(in.String()), &out, &diag)
		if code != 0 || diag.Len() > 0 {
			t.Fatalf("%+v: exit %d: %s", s, code, diag.String())
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != len(batch) {
			t.Fatalf("%+v: %d answers to %d questions", s, len(lines), len(batch))
		}
		for i, q := range batch {
			if problem := q.check(lines[i]); problem != "" {
				t.Errorf("%+v\n%s: %s\n%s", s, q.line, problem, lines[i])
			}
		}
	}
}

// check compares one answer with the question. It returns the problem; "" if there
// is none.
func (q asked) check(line string) string {
	var a answer
	dec := json.NewDecoder(strings.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return err.Error()
	}
	own := q.site.profile + "/"
	if q.reason == "" {
		switch {
		case a.Verdict != "allow" || a.Reason != "":
			return "want an allow"
		case !strings.HasPrefix(a.Rule, own) || !strings.Contains(a.Source, "section "):
			return "want the rule and its document's section"
		}
		return ""
	}
	switch {
	case a.Verdict != "deny" || a.Reason != q.reason || a.Rule != "":
		return "want a denial: " + q.reason
	case q.near && (!strings.HasPrefix(a.Nearest, own) || a.Nearest == own):
		return "want the nearest rule named"
	case a.Hint == "" || !strings.Contains(a.Hint, q.hint):
		return "want a hint that says " + q.hint
	}
	return ""
}

// A need is one flow in a document: from which party, to which host and port, under which
// conditions.
type need struct {
	profile, from, to, proto, port string
	host                           string // the destination as a client writes it
	when                           []string
	since, until                   string
	local                          bool
}

// readNeeds reads the tables of every profile; configs/profiles/README.md
// describes their format.
func readNeeds(t *testing.T) []need {
	t.Helper()
	files, err := filepath.Glob("../../configs/profiles/*.table")
	if err != nil {
		t.Fatal(err)
	}
	_, address := parties(t)
	var needs []need
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			f := strings.Fields(line)
			if len(f) > 0 && !strings.HasPrefix(f[0], "#") && f[0] != "section" && f[0] != "count" {
				needs = append(needs, needsOf(strings.TrimSuffix(filepath.Base(file), ".table"), f, address)...)
			}
		}
	}
	if len(needs) < 200 {
		t.Fatalf("only %d needs read", len(needs))
	}
	return needs
}

// needsOf returns the needs of one row, split into its columns.
func needsOf(profile string, f []string, address map[string]string) (needs []need) {
	row := need{profile: profile, from: f[0]}
	for _, cond := range f[3:] {
		switch key, value, _ := strings.Cut(cond, "="); key {
		case "when":
			row.when = strings.Split(value, ",")
		case "since":
			row.since = value
		case "until":
			row.until = value
		case "local":
			row.local = true
		}
	}
	for to := range strings.SplitSeq(f[1], ",") {
		for port := range strings.SplitSeq(f[2], ",") {
			row.to, row.host = to, to
			if party, ok := strings.CutPrefix(to, "<"); ok {
				row.host = address[strings.TrimSuffix(party, ">")]
			}
			if domain, ok := strings.CutPrefix(to, "*."); ok {
				row.host = "a.name-below." + domain
			}
			row.proto, row.port, _ = strings.Cut(port, "/")
			needs = append(needs, row)
		}
	}
	return needs
}

func (n need) isName() bool {
	_, err := netip.ParseAddr(n.host)
	return err != nil
}

func (n need) line(proto, port string) string { return proto + " " + n.host + " " + port }

// site returns a configuration under which the document permits n: every feature of
// the profile is on, and the version is the first that the row is for.
func (n need) site(all []need) clientSite {
	s := clientSite{profile: n.profile, role: n.from, version: n.since}
	if n.since == "" && n.until != "" {
		s.version = "0" // a row without a beginning holds for every version before its end
	}
	features := map[string]bool{}
	for _, o := range all {
		if o.profile == n.profile {
			for _, f := range o.when {
				features[f] = true
			}
		}
	}
	s.features = strings.Join(slices.Sorted(maps.Keys(features)), ",")
	return s
}

// documents reports whether all has a need of this role with n's destination and
// with this protocol and port; "" stands for any.
func documents(all []need, role string, n need, proto, port string) bool {
	return slices.ContainsFunc(all, func(o need) bool {
		return !o.local && o.profile == n.profile && o.from == role && strings.EqualFold(o.host, n.host) &&
			(o.proto == "all" || (proto == "" || o.proto == proto) && (port == "" || o.port == port))
	})
}
