// The nearest of many names: the search around its place in the alphabet against a
// search through all names.

package rules_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	. "sallyport/rules"
)

// slowlyAlike returns the score that ranks the rules: the number of octets that two
// heads share at the front and at the back, at most eight each.
func slowlyAlike(a, b string) int {
	front, back := 0, 0
	for front < min(len(a), len(b), 8) && a[front] == b[front] {
		front++
	}
	for back < min(len(a), len(b), 8) && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front + back
}

// The hint for a mistyped name shows the rule of the intended name, however many
// siblings that name has.
func TestNearestOfManySiblings(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := &Spec{Clients: []*Client{{Name: "c", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}}
	var heads []string
	for len(heads) < 40 {
		h := fmt.Sprintf("%c%c%c-host%d", 'a'+r.IntN(26), 'a'+r.IntN(26), 'a'+r.IntN(26), len(heads))
		heads = append(heads, h)
		c.Rules = append(c.Rules, &Rule{Profile: SiteProfile, ID: h, Client: "c", To: []Destination{{Name: MustName(h + ".vendor.example")}}, TCP: Ports{{443, 443}}})
	}
	p, _ := Compile(c, Own{}, time.Unix(0, 0))
	ask := func(head string) *Rule {
		d := p.Decide(try("127.0.0.1", head+".vendor.example:443"))
		if d.Verdict != Deny || d.Reason != NotListed || d.Nearest == nil {
			t.Fatalf("%s: %v %v near %v", head, d.Verdict, d.Reason, d.Nearest)
		}
		return d.Nearest
	}
	for _, h := range heads {
		for _, typo := range []string{h + "x", h[:3] + h[4:], h[:2] + "0" + h[3:]} {
			if got := ask(typo); got.ID != h {
				t.Errorf("%s is explained by %s, want %s", typo, got.ID, h)
			}
		}
	}
	// A name that begins like none of the listed names is compared with all of
	// them.
	for _, h := range heads {
		other := "00" + strings.TrimLeft(h, "abcdefghijklmnopqrstuvwxyz")
		best := slices.MaxFunc(heads, func(a, b string) int { return slowlyAlike(a, other) - slowlyAlike(b, other) })
		if got := ask(other); slowlyAlike(got.ID, other) != slowlyAlike(best, other) {
			t.Errorf("%s is explained by %s, which is less like it than %s", other, got.ID, best)
		}
	}
}
