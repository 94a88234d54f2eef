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

// Suggest proposes no rule for an IPv6 address that stands for a private IPv4
// address (RFC 6052, RFC 3056, RFC 4380), because no rule would permit it.
func TestNoRuleForAPrivateAddressBehindATranslator(t *testing.T) {
	s := siteOf(t, fleet)
	for _, host := range []string{"64:ff9b::10.0.0.1", "2002:a00:1::1", "2001:0:5d5d:1::f5ff:fffe"} {
		list := suggestFor(t, s, attempt(t, manager, host, 443))
		if len(list) != 1 || list[0].Cure != CureNever || list[0].TOML != "" || !strings.HasPrefix(list[0].Why, "private_address: ") {
			t.Errorf("%s: %+v", host, *list[0])
		}
		if whole, err := s.Whole(list); err != nil || strings.TrimPrefix(string(whole), "# There are no suggestions: this is the unchanged configuration.\n") != fleet {
			t.Errorf("%s: %v\n%s", host, err, whole)
		}
	}
	if sg := suggestFor(t, s, attempt(t, manager, "2001:4860:4860::8888", 443))[0]; sg.Cure != CureRule || !sg.Verified {
		t.Errorf("a public address: %+v", *sg)
	}
}
