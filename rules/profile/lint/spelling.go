// Spelling: names that are one edit away from another name. One edit is one letter more, one
// letter less, another letter, or two neighbours exchanged.

package lint

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"golang.org/x/net/publicsuffix"

	"sallyport/rules"
)

// A misspelling is what is suspicious about one name of a rule.
type misspelling struct {
	text     string
	cure     string
	subjects []string // a note with one of them explains the finding
}

// A spelled is one name of all profiles, with the first rule that lists it.
type spelled struct {
	name    string
	rule    *rules.Rule
	checked bool
}

// A domain is one registrable domain, such as example.com, with its names.
type domain struct {
	name  string
	names []spelled
}

// checked reports whether a checked profile has a name of the domain.
func (d *domain) checked() bool {
	for _, n := range d.names {
		if n.checked {
			return true
		}
	}
	return false
}

// spelling returns what is suspicious, by rule. Two domains that are one edit apart are a
// finding about the domain with fewer names. Two names of one domain are a finding about the
// later name, or about the name that is checked.
func spelling(checked, known []*rules.Profile) map[*rules.Rule][]misspelling {
	out := map[*rules.Rule][]misspelling{}
	domains := domainsOf(checked, known)
	names := make([]string, len(domains))
	for i, d := range domains {
		names[i] = d.name
		labels := make([]string, len(d.names))
		for j, n := range d.names {
			labels[j] = n.name
		}
		pairs(labels, func(x, y int) {
			a, b := d.names[x], d.names[y]
			if alikeOnPurpose(a.name, b.name) {
				return
			}
			if b.checked { // the checked names come last
				out[b.rule] = append(out[b.rule], misspelling{
					fmt.Sprintf("%s is one edit away from %s (%s)", b.name, a.name, a.rule),
					fmt.Sprintf("compare both with the document, and if both are right, name %s in the note", a.name),
					[]string{a.name},
				})
			}
		})
	}
	pairs(names, func(x, y int) {
		few, many := domains[y], domains[x]
		if alikeOnPurpose(few.name, many.name) {
			return
		}
		if len(few.names) > len(many.names) || !few.checked() {
			few, many = many, few
		}
		if !few.checked() {
			few, many = many, few
		}
		few.against(many, out)
	})
	return out
}

// against adds the findings about a domain that is one edit away from another domain: at
// most one finding for each rule.
func (d *domain) against(other *domain, out map[*rules.Rule][]misspelling) {
	seen := map[*rules.Rule]bool{}
	for _, n := range d.names {
		if !n.checked || seen[n.rule] {
			continue
		}
		seen[n.rule] = true
		first := other.names[0]
		out[n.rule] = append(out[n.rule], misspelling{
			fmt.Sprintf("%s: its domain %s is one edit away from %s, the domain of %s (%s)", n.name, d.name, other.name, first.name, first.rule),
			fmt.Sprintf("compare the domain with the document, and if the domain is right, name %s in the note", other.name),
			[]string{other.name, first.name},
		})
	}
}

// domainsOf returns the domains of all names, each name once. Names of checked profiles come
// after the others, so that the later of two names is a checked name.
func domainsOf(checked, known []*rules.Profile) (out []*domain) {
	at, seen := map[string]*domain{}, map[string]bool{}
	isChecked := map[string]bool{}
	each(checked, func(n string, _ *rules.Rule) { isChecked[n] = true })
	add := func(n string, r *rules.Rule, checked bool) {
		if seen[n] {
			return
		}
		seen[n] = true
		name, err := publicsuffix.EffectiveTLDPlusOne(n)
		if err != nil {
			name = n // a public suffix itself
		}
		if at[name] == nil {
			at[name] = &domain{name: name}
			out = append(out, at[name])
		}
		at[name].names = append(at[name].names, spelled{n, r, checked})
	}
	each(known, func(n string, r *rules.Rule) {
		if !isChecked[n] {
			add(n, r, false)
		}
	})
	each(checked, func(n string, r *rules.Rule) { add(n, r, true) })
	return out
}

// each calls visit for each name of profiles; of a wildcard *.x it is x.
func each(profiles []*rules.Profile, visit func(name string, r *rules.Rule)) {
	for _, p := range profiles {
		for _, r := range p.Rules {
			for _, d := range r.To {
				if !d.Name.IsZero() {
					visit(d.Name.String(), r)
				}
			}
		}
	}
}

// pairs calls visit for each pair of texts that are one edit apart, with the earlier text
// first. Two such texts have a text in common after at most one octet of each is left out,
// so that pairs need not compare every text with every other text.
func pairs(texts []string, visit func(x, y int)) {
	by := map[string][]int{}
	for y, text := range texts {
		var met []int
		without(text, func(rest string) {
			for _, x := range by[rest] {
				if x != y {
					met = append(met, x)
				}
			}
		})
		seen := map[int]bool{}
		for _, x := range met {
			if !seen[x] && oneEdit(texts[x], text) {
				visit(x, y)
			}
			seen[x] = true
		}
		without(text, func(rest string) { by[rest] = append(by[rest], y) })
	}
}

// without calls visit with the text, and with each text that lacks one of its octets.
func without(text string, visit func(rest string)) {
	visit(text)
	for i := range len(text) {
		if i > 0 && text[i] == text[i-1] {
			continue // the same rest once more
		}
		visit(text[:i] + text[i+1:])
	}
}

// oneEdit reports whether two texts are one edit apart.
func oneEdit(a, b string) bool {
	return a != b && (exchanged(a, b) || levenshtein.ComputeDistance(a, b) == 1)
}

// exchanged reports whether two texts differ by two neighbours that changed places.
func exchanged(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// alikeOnPurpose reports whether vendors give two such names on purpose: they differ only
// in digits, like update1 and update2, in a label of one letter, or in the code of a country,
// like us and uk.
func alikeOnPurpose(a, b string) bool {
	if digitless(a) == digitless(b) {
		return true
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] && (len(x[i]) > 1 || len(y[i]) > 1) && (!country(x[i]) || !country(y[i])) {
			return false
		}
	}
	return true
}

// digitless returns a text without its digits.
func digitless(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// country reports whether a label is the code of a country, which is a top-level domain of
// two letters.
func country(label string) bool {
	_, icann := publicsuffix.PublicSuffix(label)
	return len(label) == 2 && icann
}
