// Tests of the whole configuration with all suggestions in it.

package denials

import (
	"strings"
	"testing"
)

// Two features together permit a destination that needs both. Neither suggestion
// lists it, but the comment at the top of the whole configuration does.
func TestWholeSaysWhatAllOfItPermits(t *testing.T) {
	s := siteOf(t, strings.Replace(fleet, `["cyber-guardian"] #`, `[] #`, 1))
	list := suggestFor(t, s, attempt(t, manager, "auth.sangfor.com", 443), attempt(t, manager, "clt.sea.sangfor.com", 443), attempt(t, agentAddr, "10.20.30.40", 443))
	for _, sg := range list {
		if strings.Contains(strings.Join(sg.Also, " "), "auth.sea") {
			t.Fatalf("one feature permits it already: %q", sg.Also)
		}
	}
	text, err := s.Whole(list)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\nmode = ")
	for _, want := range []string{"# Proposed, not applied.", "#   for es-manager: endpoint-secure-onprem/auth: auth.sangfor.com: tcp 443",
		"#   for es-manager: endpoint-secure-onprem/auth-sea: auth.sea.sangfor.com: tcp 443"} {
		if !strings.Contains(head, want) {
			t.Errorf("%q is not at the top:\n%s", want, head)
		}
	}
	if strings.Contains(head, "10.20.30.40") {
		t.Errorf("what is a question is said to be permitted:\n%s", head)
	}
}

// Without a proposal, the whole configuration has a comment about that, because
// people write it to a file and expect changes in it.
func TestWholeSaysThatNothingIsProposed(t *testing.T) {
	s := siteOf(t, fleet)
	text, err := s.Whole(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# There are no suggestions: this is the unchanged configuration.\n" + string(s.src.Text); string(text) != want {
		t.Errorf("printed\n%s\nwant\n%s", text, want)
	}
}
