// Tests of the hints about known denials, and of addresses that no rule should permit.

package rules_test

import (
	"os"
	"strings"
	"testing"

	. "sallyport/rules"
	"sallyport/rules/site"
)

// windowsNoise is the shipped set.
func windowsNoise(t *testing.T) *KnownSet {
	t.Helper()
	const file = "../configs/known/windows-noise.toml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set, err := site.ParseKnownSet(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

const (
	windowsClient = "[[client]]\nname = \"es\"\nsources = [\"10.1.0.1\"]\nprofiles = [\"product\"]\n"
	harmless      = " is asked by the operating system, not by the product "
	ruleIfNeeded  = "; if the site needs it, add a [[rule]] with a reason"
)

func TestHintOfKnownDenials(t *testing.T) {
	known := func(lines string) string { return windowsClient + "[[known]]\nwhy = \"T\"\n" + lines + "\n" }
	for _, c := range []struct{ what, text, host, want string }{
		{"a name of the set", windowsClient, "www.msftconnecttest.com", `www.msftconnecttest.com` + harmless + `(connection test of Windows (NCSI)): usually harmless; known = ["windows-noise"] in client "es" would put its denials apart` + ruleIfNeeded},
		{"the set is named", windowsClient + "known = [\"windows-noise\"]\n", "www.msftconnecttest.com", `www.msftconnecttest.com` + harmless + `(connection test of Windows (NCSI)): usually harmless; known = ["windows-noise"] puts its denials apart` + ruleIfNeeded},
		{"a name beside the set", windowsClient, "msftconnecttest.com", `msftconnecttest.com` + harmless + `(connectivity probe): usually harmless; a [[known]] with host = "msftconnecttest.com" would put its denials apart` + ruleIfNeeded},
		{"a name of another system", windowsClient, "captive.apple.com", `captive.apple.com` + harmless + `(connectivity probe): usually harmless; a [[known]] with host = "captive.apple.com" would put its denials apart` + ruleIfNeeded},
		{"the site's own entry", known(`host = "captive.apple.com"`), "captive.apple.com", `captive.apple.com` + harmless + `(connectivity probe): usually harmless; the [[known]] on line 5 puts its denials apart` + ruleIfNeeded},
		{"the name above a glob", known(`host = "*.msftconnecttest.com"`), "msftconnecttest.com", `msftconnecttest.com` + harmless + `(connectivity probe): usually harmless; a [[known]] with host = "msftconnecttest.com" would put its denials apart` + ruleIfNeeded + `; the [[known]] on line 5 has *.msftconnecttest.com, which does not cover msftconnecttest.com itself`},
		{"a name below the glob", known(`host = "*.msftconnecttest.com"`), "x.msftconnecttest.com", `x.msftconnecttest.com` + harmless + `(connectivity probe): usually harmless; the [[known]] on line 5 puts its denials apart` + ruleIfNeeded},
		{"the name above another glob", known(`host = "*.noise.example"`), "noise.example", `no rule of client "es" lists noise.example: if the site needs it, add a [[rule]] with a reason; the [[known]] on line 5 has *.noise.example, which does not cover noise.example itself: a [[known]] with host = "noise.example" would`},
		{"above a glob for another port", known("host = \"*.noise.example\"\nport = 80"), "noise.example", `no rule of client "es" lists noise.example: if the site needs it, add a [[rule]] with a reason`},
		{"above a glob for a forged name", known("host = \"*.noise.example\"\nreason = \"sni_mismatch\""), "noise.example", `no rule of client "es" lists noise.example: if the site needs it, add a [[rule]] with a reason`},
		{"no noise", windowsClient, "msftconnecttest.com.evil.test", `no rule of client "es" lists msftconnecttest.com.evil.test: if the site needs it, add a [[rule]] with a reason`},
	} {
		cfg, problems := site.Parse("c.toml", site.Disk{}, []byte(c.text), testProfiles(t), windowsNoise(t))
		if cfg == nil {
			t.Fatal(problems)
		}
		p, _ := Compile(&cfg.Spec, testOwn(), today)
		a := try("10.1.0.1", c.host+":443")
		if got := Hint(a, p.Decide(a)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}

// Every name of the shipped set is explained by the set.
func TestHintOfEveryShippedName(t *testing.T) {
	set := windowsNoise(t)
	cfg, problems := site.Parse("c.toml", site.Disk{}, []byte(windowsClient), testProfiles(t), set)
	if cfg == nil {
		t.Fatal(problems)
	}
	p, _ := Compile(&cfg.Spec, testOwn(), today)
	for _, k := range set.Known {
		if IsGlob(k.Host) {
			continue
		}
		a := try("10.1.0.1", k.Host+":80")
		if got := Hint(a, p.Decide(a)); !strings.Contains(got, "("+k.Why+")") || !strings.Contains(got, `known = ["windows-noise"] in client "es"`) {
			t.Errorf("%s: %s", k.Host, got)
		}
	}
}

// No hint proposes a rule for an address that only sallyport's own host can reach.
func TestHintOfAddressesOfTheHost(t *testing.T) {
	p := compiled(t, fixture(t, "site.toml"), today)
	const link = "the address exists on the link of sallyport's host only, like a cloud's metadata service; a rule would let the client in there"
	const host = "the address belongs to sallyport's own host; a rule would let the client in there"
	for _, c := range []struct{ to, want string }{
		{"169.254.169.254", link}, {"[fe80::1]", link}, {"127.0.0.1", host}, {"10.1.0.254", host},
		{"224.0.0.1", "it is no address of a single host"}, {"255.255.255.255", "it is no address of a single host"}, {"0.0.0.0", "it is no address of a single host"},
	} {
		a := try(mgr, c.to+":80")
		if got, want := Hint(a, p.Decide(a)), "do not add a rule for "+strings.Trim(c.to, "[]")+": "+c.want; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.to, got, want)
		}
	}
}
