// Tests of Tally, and of the texts for its groups.

package denials

import (
	"fmt"
	"testing"
)

// Names that never repeat do not fill the memory.
func TestTallyIsBounded(t *testing.T) {
	var tally Tally
	r := at(0, nil)
	for i := range groupsMax + 1000 {
		r.Host = fmt.Sprint(i)
		tally.Add(&r)
	}
	gs := tally.Groups()
	if len(gs) != groupsMax+1 || gs[0].Host != Others || gs[0].Count != 1000 || tally.Total != groupsMax+1000 {
		t.Errorf("%d groups, the first %+v", len(gs), gs[0])
	}
}

// Why names a fault once, also if the hint repeats the detail.
func TestWhySaysThingsOnce(t *testing.T) {
	for _, c := range []struct{ hint, detail, want string }{
		{"the head is malformed: no Host", "no Host", "the head is malformed: no Host"},
		{"turn on cloud", "type A", "type A; turn on cloud"},
		{"turn on cloud", "", "turn on cloud"},
		{"", "type A", "type A"},
	} {
		if got := Why("", c.hint, c.detail); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
