// Shared: finds names at which the customers of a provider can have content or names
// of their own.

package lint

import (
	_ "embed"
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"sallyport/rules"
)

// sharedList has a line for each domain whose customers share it; its first lines describe
// it.
//
//go:embed shared.txt
var sharedList string

// ownName is the cure for a name that another customer can have.
const ownName = "ask the vendor for a name of its own"

// A provider is one line of the list.
type provider struct {
	domain string
	host   bool // customers share the host itself
	name   string
}

// providers returns the lines of the list.
func providers() (out []provider) {
	for line := range strings.Lines(sharedList) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] != "#" {
			out = append(out, provider{f[0], f[1] == "host", strings.Join(f[2:], " ")})
		}
	}
	return out
}

// shared finds a name that customers of a provider share, or that any customer can have.
func (c *checker) shared(r *rules.Rule, d rules.Destination) {
	if d.Name.IsZero() {
		return
	}
	what, cure := "", ""
	for _, p := range c.providers {
		if what, cure = p.about(d); what != "" {
			break
		}
	}
	if what == "" {
		what, cure = aboutSuffix(d)
	}
	if what != "" {
		c.find(r, Shared, what, cure+", or say in the note that the document prints "+d.String(), d.String())
	}
}

// about returns what is doubtful about a destination with a name of the provider, and the
// cure; "" if it has none.
func (p provider) about(d rules.Destination) (what, cure string) {
	name := d.Name.String()
	switch below := strings.HasSuffix(name, "."+p.domain); {
	case p.host && name == p.domain && !d.Wildcard:
		return fmt.Sprintf("%s is %s for all its customers: the rule permits the content of every customer, because a rule cannot limit paths", d, p.name), ownName
	case below || name == p.domain && d.Wildcard:
		return fmt.Sprintf("%s is a name of %s: any customer can have such a name, and another customer can get this name when the vendor gives it up", d, p.name), ownName
	case d.Wildcard && strings.HasSuffix(p.domain, "."+name):
		return fmt.Sprintf("%s also permits %s, where every customer of %s can have names of its own", d, p.domain, p.name), "list the names that are needed"
	}
	return "", ""
}

// aboutSuffix returns what is doubtful about a name on the list of public suffixes, or
// about a name below a suffix of different owners, and the cure; "" if nothing is.
func aboutSuffix(d rules.Destination) (what, cure string) {
	name := d.Name.String()
	suffix, icann := publicsuffix.PublicSuffix(name)
	switch {
	case suffix == name && !strings.Contains(name, ".") && !icann:
		return fmt.Sprintf("%s has only one label, so it is not a name of the public DNS", d), roleCure
	case suffix == name:
		return fmt.Sprintf("%s is a public suffix: it belongs to a registry or a provider and not to the vendor", d), "name the vendor's domain"
	case !icann && strings.Contains(suffix, "."):
		return fmt.Sprintf("%s is below the public suffix %s: the names there can have different owners, and another owner can get this name when the vendor gives it up", d, suffix), ownName
	}
	return "", ""
}
