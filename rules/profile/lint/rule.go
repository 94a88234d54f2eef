// The checks of one rule: its ports, its wildcards, and what the document gives to another
// role.

package lint

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// manyPorts is the number of ports from which a person should look at a rule again. A
// service of one product needs fewer; an RPC or FTP server with its usual range of passive
// ports needs more.
const manyPorts = 1000

// ports finds a rule with more ports than a service needs.
func (c *checker) ports(r *rules.Rule) {
	if r.Any {
		c.find(r, Ports, "any = true permits every protocol and port", "list the ports, or say in the note that the document prints ALL", "ALL")
		return
	}
	for _, list := range []struct {
		proto string
		ports rules.Ports
	}{{"tcp", r.TCP}, {"udp", r.UDP}} {
		n := 0
		for _, p := range list.ports {
			n += int(p.Last) - int(p.First) + 1
		}
		switch {
		case n == 1<<16 || n == 1<<16-1:
			c.find(r, Ports, list.proto+" = \"all\" permits every port", "list the ports, or say in the note that the document prints ALL", "ALL")
		case n > manyPorts:
			c.find(r, Ports, fmt.Sprintf("%s %s are %d ports, more than %d", list.proto, list.ports, n, manyPorts),
				"list the ports, or say in the note that the document prints "+list.ports.String(), list.ports.String())
		}
	}
}

// wildcard finds a wildcard in a profile whose other rows list exact names.
func (c *checker) wildcard(r *rules.Rule, d rules.Destination) {
	if !d.Wildcard || c.names == 0 || c.wild > c.names {
		return
	}
	text := fmt.Sprintf("%s permits every name below %s, but this profile also lists exact names", d, d.Name)
	if also := c.alsoPermits(r, d); also != "" {
		text += " (it also permits " + also + ")"
	} else {
		text += " (it covers none of them)"
	}
	c.find(r, Wildcard, text, "name the hosts, or say in the note that the document prints "+d.String(), d.String())
}

// roles finds a port that the document gives to other roles only. Two things show this. A
// [[port]] has this number, and only rules of other roles use it for this destination. Or
// the known revision of this profile has the port, for this destination, only in rules of
// other roles.
func (c *checker) roles(r *rules.Rule) {
	for _, proto := range []rules.Proto{rules.TCP, rules.UDP} {
		for _, port := range c.profile.Ports {
			if fixed(r, proto).Has(port.Default) {
				c.roleByName(r, proto, port)
			}
		}
	}
	i := slices.IndexFunc(c.known, func(k *rules.Profile) bool { return k != c.profile && k.Name == c.profile.Name })
	if i >= 0 {
		c.roleByRevision(r, c.known[i])
	}
}

// roleByName compares a number with a [[port]] of the profile.
func (c *checker) roleByName(r *rules.Rule, proto rules.Proto, port rules.Port) {
	var others []string
	for _, o := range c.profile.Rules {
		if !slices.Contains(o.Configurable(proto), port.Name) || !sameDestination(o, r) {
			continue
		}
		if o.From == r.From {
			return
		}
		others = append(others, o.From)
	}
	if len(others) > 0 {
		c.find(r, Role, fmt.Sprintf("%s %d to %s is the [[port]] %q, which only rules from %s use",
			proto, port.Default, r.To[0], port.Name, joined(others)),
			fmt.Sprintf("correct the key from, or write %q instead of the number", port.Name), fmt.Sprint(port.Default))
	}
}

// roleByRevision compares the ports of a rule with those of another revision.
func (c *checker) roleByRevision(r *rules.Rule, k *rules.Profile) {
	if !slices.Contains(k.Roles, r.From) || r.Any {
		return
	}
	for _, proto := range []rules.Proto{rules.TCP, rules.UDP} {
		for _, span := range portsOf(c.profile, r, proto) {
			if span.Last-span.First >= manyPorts {
				continue // no document gives a wide range to one role only
			}
			for port := int(span.First); port <= int(span.Last); port++ {
				c.roleOfPort(r, k, proto, uint16(port))
			}
		}
	}
}

// roleOfPort compares one port of a rule with another revision.
func (c *checker) roleOfPort(r *rules.Rule, k *rules.Profile, proto rules.Proto, port uint16) {
	var others []string
	for _, o := range k.Rules {
		if !sameDestination(o, r) || !o.Any && !portsOf(k, o, proto).Has(port) {
			continue
		}
		if o.From == r.From {
			return
		}
		others = append(others, o.From)
	}
	if len(others) > 0 {
		c.find(r, Role, fmt.Sprintf("%s %d to %s is for %s in %s, and not for %s",
			proto, port, r.To[0], joined(others), k.File, r.From),
			fmt.Sprintf("correct the key from, or say in the note that the document gives %d to this role", port), fmt.Sprint(port))
	}
}

// fixed returns the ports of a rule that are written as numbers.
func fixed(r *rules.Rule, proto rules.Proto) rules.Ports {
	if proto == rules.UDP {
		return r.UDP
	}
	return r.TCP
}

// portsOf returns all ports of a rule of p.
func portsOf(p *rules.Profile, r *rules.Rule, proto rules.Proto) rules.Ports {
	tcp, udp := p.DefaultPorts(r)
	if proto == rules.UDP {
		return udp
	}
	return tcp
}

// sameDestination reports whether two rules have a destination in common.
func sameDestination(a, b *rules.Rule) bool {
	return slices.ContainsFunc(a.To, func(d rules.Destination) bool { return slices.Contains(b.To, d) })
}

// joined returns roles without repetition: "role a and role b".
func joined(list []string) string {
	slices.Sort(list)
	list = slices.Compact(list)
	return "role " + strings.Join(list, " and role ")
}
