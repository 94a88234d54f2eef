// What the tests of package rules_test need of the package's inside.

package rules

import (
	"net/netip"
	"slices"
)

// The rest of an attempt: what happened after CONNECT.

func (a Attempt) OverUDP() Attempt { a.Via, a.Proto = ViaUDP, UDP; return a }

func (a Attempt) TLS(sni string) Attempt {
	a.Provisional, a.Shown = false, ShownTLS
	if sni != "" {
		a.SNI = mustName(sni)
	}
	return a
}

// HTTP shows a request head whose Host header is "host:port"; "": it has no
// Host header.
func (a Attempt) HTTP(host string) Attempt {
	a.Provisional, a.Shown = false, ShownHTTP
	if host != "" {
		at, err := ParseAuthority(host, 80)
		if err != nil {
			panic(err)
		}
		a.Host, a.HostAddr, a.HostPort = at.Name, at.Addr, at.Port
	}
	return a
}

func (a Attempt) Shows(s Shown) Attempt { a.Provisional, a.Shown = false, s; return a }

func (a Attempt) Faulty(r Reason) Attempt { a.Provisional, a.Fault = false, r; return a }

// dials sets the address that the name resolved to.
func (a Attempt) Dials(addr string) Attempt {
	a.Dest = netip.AddrPortFrom(netip.MustParseAddr(addr), a.Dest.Port())
	return a
}

func (a Attempt) Limited() Attempt { a.Fault = Limit; return a }

// MustName parses a name that is known to be valid.
func MustName(s string) Name { return mustName(s) }

// Labels127 returns the name with the most labels.
func Labels127() string { return labels127 }

// Inside returns the IPv4 addresses that addr stands for.
func Inside(addr netip.Addr, site []netip.Prefix) (v4, second netip.Addr) { return inside(addr, site) }

// IsPlain reports whether no address of p is special.
func IsPlain(p netip.Prefix) bool { return plain(p) }

// NAT64Lengths returns the lengths that a NAT64 prefix can have.
func NAT64Lengths() []int { return nat64Lengths() }

// NAT64WellKnown returns the prefixes that belong to a translator on every network.
func NAT64WellKnown() (known, local netip.Prefix) { return nat64Known, nat64Local }

// Auditable reports whether mode "audit" lets through attempts that are denied for
// r.
func (r Reason) Auditable() bool { return r.auditable() }

// NAT64 returns the prefixes of the site's translators.
func (p *Policy) NAT64() []netip.Prefix { return p.nat64 }

// Own returns the addresses of sallyport itself.
func (p *Policy) Own() Own { return p.own }

// NamesInForce lists the names of the rules in force for c.
func (p *Policy) NamesInForce(c *Client) (out []Destination) {
	for _, s := range p.scopes {
		if s.client == c {
			out = append(out, s.inForce()...)
			for _, l := range s.lists {
				if s.rules[l.rule].block == 0 {
					out = slices.AppendSeq(out, l.list.Names())
				}
			}
		}
	}
	return out
}

// ClientHasRules reports whether some rule permits the client of d something.
func (d Decision) ClientHasRules() bool { return d.scope.ruled }
