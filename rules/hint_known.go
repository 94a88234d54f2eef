// Hints about known denials: the shipped set or the [[known]] that puts a denial apart, for names
// that the operating system asks for.

package rules

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// systemNames returns names that operating systems and browsers look up by themselves,
// each with its purpose. The names below them count too. The sources, read in 2026, are
// Microsoft's "Manage connection endpoints for Windows 11", Apple's "Use Apple products
// on enterprise networks", and the captive portal checks that GNOME, Ubuntu and Mozilla
// document.
func systemNames() [8][2]string {
	return [...][2]string{
		{"msftconnecttest.com", "connectivity probe"}, {"msftncsi.com", "connectivity probe"},
		{"connectivitycheck.gstatic.com", "connectivity probe"}, {"captive.apple.com", "connectivity probe"},
		{"connectivity-check.ubuntu.com", "connectivity probe"}, {"nmcheck.gnome.org", "connectivity probe"},
		{"detectportal.firefox.com", "connectivity probe"},
		{"ctldl.windowsupdate.com", "list of trusted certificates"},
	}
}

// hintSystem explains a name that the operating system looks up, not the product. It names what
// puts the denials of that name apart.
func hintSystem(a *Attempt, d *Decision) string {
	n := a.Target()
	if n.IsZero() {
		return ""
	}
	what := ""
	for _, s := range systemNames() {
		if strings.HasSuffix(n.s, s[0]) && (len(n.s) == len(s[0]) || n.s[len(n.s)-len(s[0])-1] == '.') {
			what = s[1]
		}
	}
	first, _, _ := strings.Cut(n.s, ".")
	if first = strings.TrimRight(first, "0123456789"); first == "ocsp" || first == "crl" {
		what = "certificate revocation"
	}
	shipped := d.policy.shippedKnown(a, d)
	if shipped != nil {
		what = shipped.Why
	}
	if what == "" {
		return ""
	}
	text := fmt.Sprintf("%s is asked by the operating system, not by the product (%s): usually harmless; ", n, what)
	switch known := d.policy.knownOf(a, d); {
	case known != nil && known.Set != "":
		text += fmt.Sprintf("known = [%q] puts its denials apart", known.Set)
	case known != nil:
		text += fmt.Sprintf("the [[known]] on line %d puts its denials apart", known.Line)
	case shipped != nil:
		text += fmt.Sprintf("known = [%q] in client %q would put its denials apart", shipped.Set, d.Client.Name)
	default:
		text += fmt.Sprintf("%s%q would put its denials apart", knownCure, n)
	}
	return text + "; if the site needs it, add a [[rule]] with a reason"
}

// knownCure begins the advice to write a [[known]] for a name.
const knownCure = "a [[known]] with host = "

// notCovered says, behind the hint so far, that a [[known]] for the names below a name does not cover
// the name itself; "" if there is no such [[known]].
func (p *Policy) notCovered(a *Attempt, d *Decision, hint string) string {
	n := a.Target()
	if p == nil || p.known == nil || n.IsZero() || d.Client == nil || !d.Why().Fixable() || p.knownOf(a, d) != nil {
		return ""
	}
	for _, k := range p.known.names[n.s] {
		if is, _ := path.Match(k.Host, "x."+n.s); is && IsGlob(k.Host) && k.covers(d.Client.Name, a.Dest.Port(), d.Why(), time.Time{}) {
			text := fmt.Sprintf("; the [[known]] on line %d has %s, which does not cover %s itself", k.Line, k.Host, n)
			if !strings.Contains(hint, knownCure) {
				text += fmt.Sprintf(": %s%q would", knownCure, n)
			}
			return text
		}
	}
	return ""
}

// shippedKnown returns the entry of a shipped set that covers a denial, whether the site names the
// set or not; nil if there is none.
func (p *Policy) shippedKnown(a *Attempt, d *Decision) *Known {
	if p == nil {
		return nil
	}
	return p.shipped.ofDenial(a, d, time.Time{})
}

// knownOf returns the [[known]] of the site, or the entry of a set that it names, that covers a
// denial; nil if there is none.
func (p *Policy) knownOf(a *Attempt, d *Decision) *Known {
	if p == nil {
		return nil
	}
	return p.known.ofDenial(a, d, time.Time{})
}
