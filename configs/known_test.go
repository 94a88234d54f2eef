// Tests of the shipped sets of known denials: each entry has its source, and covers names of one party.

package configs

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// parseSets parses every shipped set.
func parseSets(t *testing.T) (out []*rules.KnownSet) {
	t.Helper()
	names, err := fs.Glob(Known(), "*.toml")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v %v", names, err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(Known(), name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := site.ParseKnownSet(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name+".toml" != name {
			t.Errorf("%s has the name %s", name, s.Name)
		}
		out = append(out, s)
	}
	return out
}

func TestKnownSetsHaveSources(t *testing.T) {
	for _, s := range parseSets(t) {
		seen := map[string]bool{}
		for _, k := range s.Known {
			if !strings.HasPrefix(k.Source, "https://learn.microsoft.com/") || seen[k.Host] || k.Reason != rules.ReasonNone || k.Set != s.Name {
				t.Errorf("%s: %+v", s.Name, k)
			}
			seen[k.Host] = true
		}
	}
}

// What a shipped profile documents is never noise: a site that turns its feature on needs it.
func TestKnownSetsCoverNoDocumentedName(t *testing.T) {
	var list []*rules.Known
	for _, s := range parseSets(t) {
		for i := range s.Known {
			list = append(list, &s.Known[i])
		}
	}
	table := rules.CompileKnown(list, time.Time{})
	for _, p := range parseProfiles(t) {
		for _, r := range p.Rules {
			for _, d := range r.To {
				if k := table.Of("", d.Name.String(), netip.Addr{}, 443, rules.FeatureOff, time.Time{}); !d.Name.IsZero() && k != nil {
					t.Errorf("%s is documented by %s, and %s covers it", d.Name, r, k.Host)
				}
			}
		}
	}
}
