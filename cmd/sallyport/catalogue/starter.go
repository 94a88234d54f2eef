// Starter: the text of a first configuration for a profile.

package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"sallyport/rules"
)

// A starter is the first configuration of one client with one profile.
type starter struct {
	profile *rules.Profile
	role    string
	path    string // of the profile's file, from the configuration; "": a shipped profile
}

// mostExpected is the number of [[expect]] tables that permit.
const mostExpected = 3

// text returns the configuration.
func (s *starter) text() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# A first configuration for %s. FILL IN marks what only you know.", printed(s.profile.Product))
	line("# Every key is in reference.toml and in sallyport.toml(5).")
	line("")
	line("[listen]")
	line("http   = [\"127.0.0.1:3128\"] # HTTP proxy; FILL IN: an address of this host that the client reaches")
	line("socks5 = [\"127.0.0.1:1080\"] # SOCKS5 proxy, for TCP and UDP")
	line("admin  = \"127.0.0.1:9180\"   # /readyz and /metrics")
	if s.path != "" {
		line("")
		line("[profiles]")
		line("paths = [%q]", s.path)
	}
	line("")
	line("[[client]]")
	line("name     = %q", s.client())
	line("sources  = [\"127.0.0.1\"] # FILL IN: the addresses of the client; 127.0.0.1 is for a first try on this host")
	line("profiles = [%q]", s.profile.Name)
	if len(s.profile.Roles) > 1 {
		line("role     = %q # or %s", s.role, printed(strings.Join(s.others(), ", ")))
	}
	s.choices(line)
	s.bindings(line)
	line("")
	line("[journal]")
	line("path  = \"denials.jsonl\"")
	line("flows = \"flows.jsonl\" # permitted connections too")
	s.expectations(line)
	return b.Bytes()
}

// client returns the name of the client.
func (s *starter) client() string {
	if name := s.profile.Name + "-" + s.role; rules.IsIdentifier(name) {
		return name
	}
	return s.role
}

// others returns the other roles.
func (s *starter) others() []string {
	return slices.DeleteFunc(slices.Clone(s.profile.Roles), func(r string) bool { return r == s.role })
}

// mine returns the rules of the role.
func (s *starter) mine() (out []*rules.Rule) {
	for _, r := range s.profile.Rules {
		if r.From == s.role && !r.Local {
			out = append(out, r)
		}
	}
	return out
}

// choices writes the features and the version that rules of the role ask for. They are off.
func (s *starter) choices(line func(string, ...any)) {
	var dated []string // the rules that depend on the version
	used := map[string]bool{}
	for _, r := range s.mine() {
		if r.Since != "" {
			dated = append(dated, r.ID+" since "+r.Since)
		}
		if r.Until != "" {
			dated = append(dated, r.ID+" until "+r.Until)
		}
		for _, w := range r.When {
			used[w] = true
		}
	}
	if len(dated) > 0 {
		line("# FILL IN: the version of the product that this client runs, and remove the # in front of version.")
		line("# If it runs the newest version, remove both lines: without a version, the newest one counts.")
		line("# The version decides about these rules: %s.", printed(strings.Join(dated, ", ")))
		line("#version  = \"\"")
	}
	if len(used) > 0 {
		line("features = [] # of the site:")
	}
	for _, f := range s.profile.Features {
		if used[f.Name] {
			line("           # %q: %s", f.Name, printed(f.Meaning))
		}
	}
}

// bindings writes the parties whose addresses only the site knows.
func (s *starter) bindings(line func(string, ...any)) {
	var parties []string
	ports := map[string][]string{}
	for _, r := range s.mine() {
		for _, d := range r.To {
			if d.Role == "" {
				continue
			}
			if ports[d.Role] == nil {
				parties = append(parties, d.Role)
			}
			ports[d.Role] = append(ports[d.Role], r.ID)
		}
	}
	if len(parties) == 0 {
		return
	}
	line("")
	line("[client.addresses]")
	for _, party := range parties {
		line("#%s = [\"192.0.2.1\"] # FILL IN: its addresses or names, and remove the first #; for %s", party, printed(strings.Join(ports[party], ", ")))
	}
}

// expectations writes what the policy must answer: some documented destinations, one of a feature
// that is off, and one that no document has.
func (s *starter) expectations(line func(string, ...any)) {
	permits, feature := 0, false
	expect := func(to, key string, port uint16, rest string) {
		line("")
		line("[[expect]]")
		line("client  = %q", s.client())
		line("to      = %q", to)
		line("%-7s = %d", key, port)
		line("%s", rest)
	}
	open := map[string]bool{} // names that a rule without a condition has
	for _, r := range s.mine() {
		for _, d := range r.To {
			open[d.String()] = open[d.String()] || len(r.When) == 0
		}
	}
	for _, r := range s.mine() {
		to, key, port := s.question(r)
		switch {
		case to == "" || r.Since != "" || r.Until != "":
		case len(r.When) == 0 && permits < mostExpected:
			permits++
			expect(to, key, port, "verdict = \"allow\"")
		case len(r.When) > 0 && !feature && !open[r.To[0].String()]:
			feature = true
			expect(to, key, port, "verdict = \"deny\"\nreason  = \"feature_off\"")
		}
	}
	if !s.permitsAll() {
		expect("not-documented.invalid", "tcp", 443, "verdict = \"deny\"")
	}
}

// question returns a destination and a port of a rule; "": the rule has no name.
func (s *starter) question(r *rules.Rule) (to, key string, port uint16) {
	tcp, udp := s.profile.DefaultPorts(r)
	switch {
	case r.Any || len(r.To) == 0 || r.To[0].Name.IsZero():
		return "", "", 0
	case len(tcp) > 0:
		key, port = "tcp", tcp[0].First
	case len(udp) > 0:
		key, port = "udp", udp[0].First
	}
	if to = r.To[0].Name.String(); r.To[0].Wildcard {
		to = "a." + to
	}
	return to, key, max(port, 1)
}

// permitsAll reports whether a rule has every address, so that no name is surely denied.
func (s *starter) permitsAll() bool {
	return slices.ContainsFunc(s.mine(), func(r *rules.Rule) bool {
		return slices.ContainsFunc(r.To, func(d rules.Destination) bool { return d.Prefix.IsValid() && d.Prefix.Bits() == 0 })
	})
}

// printed makes a text safe for a comment in one line.
func printed(s string) string { return strings.Join(strings.Fields(s), " ") }

// newFile writes a file that does not exist yet.
func newFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: give --output another file, or leave it out to print", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
