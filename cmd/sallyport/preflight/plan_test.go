// Tests of the plan: which destinations of a policy are tried.

package preflight

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

func TestPlan(t *testing.T) {
	p := NewPlan(compile(t, siteText), everything, source)
	var got []string
	for _, target := range p.targets {
		text := target.proto.String() + " " + netip.AddrPortFrom(netip.IPv4Unspecified(), target.port).String()[8:] + " " + target.host()
		for _, n := range target.needs {
			text += " " + n.Client + "=" + n.Rule
		}
		got = append(got, text)
	}
	want := []string{
		"tcp 443 a.example one=site/a two=site/b", "tcp 8000 a.example one=site/a", "tcp 8001 a.example one=site/a", "tcp 8002 a.example one=site/a",
		"tcp 443 93.184.1.1 two=site/b", "udp 514 a.example one=site/a",
	}
	if !slices.Equal(got, want) {
		t.Errorf("planned\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var untried []string
	for _, u := range p.NotTried {
		untried = append(untried, u.What+": "+u.Why)
	}
	if want := []string{"a.example: tcp ports 9000-9999: too many to try", "*.wild.example: a wildcard has no name to try", "198.51.100.0/24: a prefix has no address to try"}; !slices.Equal(untried, want) {
		t.Errorf("not tried %q, want %q", untried, want)
	}
	two := NewPlan(compile(t, siteText), func(client, _ string) bool { return client == "two" }, source)
	if two.Len() != 2 || len(two.NotTried) != 0 {
		t.Errorf("client two alone: %d and %v", two.Len(), two.NotTried)
	}
	none := NewPlan(compile(t, siteText), everything, func(*rules.Client) (netip.Addr, error) { return netip.Addr{}, errors.New("shares its sources") })
	if none.Len() != 0 || len(none.NotTried) == 0 || none.NotTried[0].Why != "shares its sources" {
		t.Errorf("no source address for any client: %d, %v", none.Len(), none.NotTried)
	}
}
