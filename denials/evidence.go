// Evidence: checks whether the configuration supports a change, or only the
// client's own attempt does. If only the attempt does, the suggestion is a
// question: it is commented out, and it comes last.

package denials

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// unsupported returns the question to ask before a change that only the attempt
// supports. It returns "" if the change adds no role, source or port, or if the
// configuration supports the change.
func (s *Site) unsupported(c *change) string {
	for role, host := range c.bind {
		if !s.hasRole(c, role, host) {
			return fmt.Sprintf("who is this? Only the attempts of %s say that %s is its %s", c.client, host, role)
		}
	}
	if c.source.IsValid() && !s.isClient(c.client, c.source) {
		return fmt.Sprintf("who is this? Only its own attempts say that %s is %s", c.source, c.client)
	}
	for name, port := range c.ports {
		if !s.isMoved(c, name, port) {
			return fmt.Sprintf("was this port moved? Only the attempts of %s say that %s is %d", c.client, name, port)
		}
	}
	if c.guessesVersion() {
		return fmt.Sprintf("is the version of %s below %s? %s is only for such versions, and nothing here says so", c.client, c.rule.Until, c.rule)
	}
	return ""
}

// isMoved reports whether another client of the same profile has the port of
// the change.
func (s *Site) isMoved(c *change, name string, port uint16) bool {
	return slices.ContainsFunc(s.Config.Clients, func(cl *rules.Client) bool {
		return cl.Name != c.client && slices.ContainsFunc(cl.Profiles, func(cp rules.ClientProfile) bool {
			return cp.Profile.Name == c.rule.Profile && cp.Ports[name] == port
		})
	})
}

// hasRole reports whether the configuration gives host this role: another
// client of the same profile has bound the role to it, or it is the single
// address of a client in that role.
func (s *Site) hasRole(c *change, role, host string) bool {
	for _, cl := range s.Config.Clients {
		for i := range cl.Profiles {
			cp := &cl.Profiles[i]
			if cp.Profile.Name != c.rule.Profile {
				continue
			}
			if slices.ContainsFunc(cl.Bound(i, role), func(d rules.Destination) bool { return d.String() == host }) {
				return true
			}
			if cp.Role == role && slices.ContainsFunc(s.addresses(host), func(a netip.Addr) bool { return hasAddress(cl, a) }) {
				return true
			}
		}
	}
	return false
}

// isClient reports whether another client has bound the role of this client to
// addr.
func (s *Site) isClient(client string, addr netip.Addr) bool {
	cl := s.client(client)
	for i := range cl.Profiles {
		cp := &cl.Profiles[i]
		for _, o := range s.Config.Clients {
			for j := range o.Profiles {
				if o.Profiles[j].Profile == cp.Profile && slices.ContainsFunc(o.Bound(j, cp.Role), func(d rules.Destination) bool {
					return slices.Contains(s.addresses(d.String()), addr)
				}) {
					return true
				}
			}
		}
	}
	return false
}

// addresses returns host itself if it is an address, else the addresses that
// [hosts] gives it.
func (s *Site) addresses(host string) []netip.Addr {
	h, err := rules.ParseHost(host)
	switch {
	case err != nil:
		return nil
	case h.Addr.IsValid():
		return []netip.Addr{h.Addr}
	}
	return s.Config.Hosts[h.Name]
}

// hasAddress reports whether a client's sources list exactly this address.
func hasAddress(cl *rules.Client, a netip.Addr) bool {
	return slices.Contains(cl.Sources, netip.PrefixFrom(a, a.BitLen()))
}

// unprovenText is the note about denials that a neighbour of the client may
// have caused by a datagram with the client's source address.
const unprovenText = "nothing proves that this client asked: every question was a datagram, and any host on the client's link can forge the source of a datagram"

// proven reports whether at least one group is proven, see Group.proven.
func (sg *Suggestion) proven() bool {
	return slices.ContainsFunc(sg.Groups, func(g *Group) bool { return g.proven })
}

// finding returns the question to settle first, in one line.
func (c *change) finding() string {
	for _, host := range c.bind {
		return "find out who " + host + " is"
	}
	if c.guessesVersion() {
		return "find out which version " + c.client + " has"
	}
	if c.source.IsValid() {
		return "find out who " + c.source.String() + " is"
	}
	return "find out whether the port was moved"
}

// commented writes lines of TOML as comments below a question. The parameter yes
// is the instruction for the answer yes.
func commented(question, yes string, lines ...string) []string {
	out := []string{"# " + strings.ReplaceAll(journal.Visible(question), "\n", " ") + "; if that is so, " + yes}
	for _, l := range lines {
		out = append(out, "# "+l)
	}
	return out
}
