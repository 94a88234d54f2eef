// Configurations: the embedded default is sound, and the reference is whole and true.

package configs

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"sallyport/rules/site"
)

// parse reads a configuration that must have no problem except the expected
// warnings.
func parse(t *testing.T, file, text string, warnings ...string) *site.Config {
	t.Helper()
	c, problems := site.Parse(file, site.Disk{Files: named(t)}, []byte(text), parseProfiles(t), parseSets(t)...)
	for _, p := range problems {
		if !p.Warning || !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(p.Text, w) }) {
			t.Errorf("%v", p)
		}
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

func TestDefaultServesThisMachineOnly(t *testing.T) {
	c := parse(t, "sallyport.toml", string(Default()))
	admin := netip.MustParseAddrPort(c.Listen.Admin)
	for _, l := range [][]netip.AddrPort{c.Listen.HTTP, c.Listen.SOCKS5, c.Listen.DNS, {admin}} {
		if len(l) != 1 || !l[0].Addr().IsLoopback() || l[0].Port() < 1024 {
			t.Errorf("listens on %v, want one loopback address and an unprivileged port", l)
		}
	}
	if len(c.Listen.Transparent) != 0 || c.Audit || len(c.Rules) != 0 {
		t.Errorf("the default has a transparent listener, audit mode or site rules")
	}
	if len(c.Clients) != 1 || len(c.Clients[0].Profiles) != 1 {
		t.Fatalf("want one client with one profile, have %+v", c.Clients)
	}
	for _, source := range c.Clients[0].Sources {
		if !source.Addr().IsLoopback() {
			t.Errorf("a client may ask from %v", source)
		}
	}
	if cp := c.Clients[0].Profiles[0]; cp.Profile.Name != "endpoint-secure-onprem" || cp.Role != "manager" || len(cp.Features) != 0 {
		t.Errorf("the client is %s %s with features %q", cp.Profile.Name, cp.Role, cp.Features)
	}
	if c.Journal.Path != "denials.jsonl" || !slices.Equal(c.DNS.Upstreams, []string{"system"}) {
		t.Errorf("journal %q, upstreams %q", c.Journal.Path, c.DNS.Upstreams)
	}
}

// What the reference sets are the defaults: it means the same as nothing.
func TestReferenceSetsTheDefaults(t *testing.T) {
	shown := parse(t, "reference.toml", string(Reference()), "no [[client]]")
	empty := parse(t, "reference.toml", "", "no [[client]]")
	a, b := reflect.ValueOf(*shown), reflect.ValueOf(*empty)
	for _, f := range reflect.VisibleFields(a.Type()) {
		if !f.IsExported() || f.Anonymous || f.Name == "Revision" || f.Name == "Profiles" {
			continue // not what a key means; of an embedded struct the fields follow
		}
		if got, want := a.FieldByIndex(f.Index).Interface(), b.FieldByIndex(f.Index).Interface(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the reference means %+v, no configuration means %+v", f.Name, got, want)
		}
	}
}

// uncommented is the reference with its examples in force: lines that begin
// with "#" and no space.
func uncommented() string {
	lines := strings.Split(string(Reference()), "\n")
	for i, l := range lines {
		if len(l) > 1 && l[0] == '#' && l[1] != ' ' {
			lines[i] = l[1:]
		}
	}
	return strings.Join(lines, "\n")
}

func TestReferenceExamplesAreValid(t *testing.T) {
	c := parse(t, "reference.toml", uncommented(), "no listener takes certificates")
	if len(c.Parents) != 1 || len(c.Clients) != 3 || len(c.Rules) != 3 || len(c.DNS.Zones) != 1 || len(c.Hosts) != 1 || len(c.Sinks) != 1 || len(c.Known) < 2 {
		t.Errorf("examples are missing: %d clients, %d rules, %d zones, %d hosts", len(c.Clients), len(c.Rules), len(c.DNS.Zones), len(c.Hosts))
	}
}

// For an unknown key, the parser lists the keys that it knows. The reference
// must show each of them.
func TestReferenceShowsEveryKey(t *testing.T) {
	var reference map[string]any
	if _, err := toml.Decode(uncommented(), &reference); err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"", "[listen]", "[[client]]", "[[client]]\n[[client.profile]]\nname = \"symantec-liveupdate\"", "[[rule]]", "[[expect]]", "[[known]]", "[[sink]]", "[[parent]]", "[dns]", "[[dns.zone]]", "[resolve]", "[journal]", "[admin]", "[limits]"} {
		_, problems := site.Parse("x", site.Disk{}, []byte(header+"\nno_such_key_at_all = 1\n"), parseProfiles(t))
		_, known, ok := strings.Cut(problems.Error(), `unknown key "no_such_key_at_all": known here: `)
		if !ok {
			t.Errorf("%q: the parser does not list its keys: %v", header, problems)
			continue
		}
		known, _, _ = strings.Cut(known, "\n")
		path := strings.Trim(header[strings.LastIndexByte(header, '[')+1:], "[]")
		path, _, _ = strings.Cut(path, "]")
		shown := keysAt(reference, path)
		for key := range strings.SplitSeq(known, ", ") {
			if !shown[key] {
				t.Errorf("reference.toml does not show %q of %q", key, header)
			}
		}
	}
}

// keysAt gathers the keys of every table at a dotted path.
func keysAt(v any, path string) map[string]bool {
	keys := map[string]bool{}
	switch v := v.(type) {
	case []map[string]any:
		for _, e := range v {
			maps.Copy(keys, keysAt(e, path))
		}
	case map[string]any:
		if path == "" {
			for k := range v {
				keys[k] = true
			}
			return keys
		}
		first, rest, _ := strings.Cut(path, ".")
		return keysAt(v[first], rest)
	}
	return keys
}
