// Ports: the set of ports that a rule lists for one transport protocol.

package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A PortRange is First to Last, both included.
type PortRange struct{ First, Last uint16 }

// Ports is an immutable set of ports: sorted, disjoint ranges. Nil is empty.
type Ports []PortRange

// AllPorts is 1 to 65535.
func AllPorts() Ports { return Ports{{1, 65535}} }

// Has reports whether port is in the set. Port 0 never is.
func (p Ports) Has(port uint16) bool {
	for _, r := range p {
		if port <= r.Last {
			return port >= r.First
		}
	}
	return false
}

// String returns the ports as in a profile: "80, 443, 8000-8010", or "all".
func (p Ports) String() string {
	if len(p) == 1 && p[0] == (PortRange{1, 65535}) {
		return "all"
	}
	var b strings.Builder
	for i, r := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(int(r.First)))
		if r.Last != r.First {
			b.WriteString("-" + strconv.Itoa(int(r.Last)))
		}
	}
	return b.String()
}

// NewPorts returns the set of all ports of ranges.
func NewPorts(ranges []PortRange) Ports {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b PortRange) int { return cmp.Compare(a.First, b.First) })
	var out Ports
	for _, r := range ranges {
		if n := len(out); n > 0 && int(r.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// ParsePort parses a decimal number from 1 to 65535 without sign or leading zero. It
// accepts no service names.
func ParsePort(s string) (uint16, error) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, fmt.Errorf("port %q is not a number from 1 to 65535", s)
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("port %q is not a number from 1 to 65535", s)
		}
		n = n*10 + int(s[i]-'0')
	}
	if n > 65535 {
		return 0, fmt.Errorf("port %q is not a number from 1 to 65535", s)
	}
	return uint16(n), nil
}

// ParsePortRange parses "8000-8010" or "443".
func ParsePortRange(s string) (PortRange, error) {
	first, last, ranged := strings.Cut(s, "-")
	a, err := ParsePort(first)
	if err != nil {
		return PortRange{}, err
	}
	if !ranged {
		return PortRange{a, a}, nil
	}
	b, err := ParsePort(last)
	if err != nil {
		return PortRange{}, err
	}
	if b < a {
		return PortRange{}, fmt.Errorf("port range %q ends before it begins", s)
	}
	return PortRange{a, b}, nil
}

// covers reports whether every port of q is in p.
func (p Ports) covers(q Ports) bool {
	return !slices.ContainsFunc(q, func(r PortRange) bool {
		return !slices.ContainsFunc(p, func(o PortRange) bool { return o.First <= r.First && r.Last <= o.Last })
	})
}

// union returns the ports of both sets.
func (p Ports) union(q Ports) Ports {
	if len(q) == 0 {
		return p
	}
	return NewPorts(slices.Concat(p, q))
}

// less returns the ports of p that are not in q.
func (p Ports) less(q Ports) Ports {
	var out Ports
	for _, r := range p {
		first := int(r.First)
		for _, o := range q {
			if int(o.Last) < first || o.First > r.Last {
				continue
			}
			if int(o.First) > first {
				out = append(out, PortRange{uint16(first), o.First - 1})
			}
			first = int(o.Last) + 1
		}
		if first <= int(r.Last) {
			out = append(out, PortRange{uint16(first), r.Last})
		}
	}
	return out
}

// common returns the ports that are in both sets.
func (p Ports) common(q Ports) Ports { return p.less(p.less(q)) }

// Without returns the ports of p except port.
func (p Ports) Without(port uint16) Ports { return p.less(Ports{{port, port}}) }

// ProtoPorts returns the texts "tcp 80, 443" and "udp 53" of a rule's ports, without a
// protocol that has no ports.
func ProtoPorts(tcp, udp Ports) (out []string) {
	if len(tcp) > 0 {
		out = append(out, "tcp "+tcp.String())
	}
	if len(udp) > 0 {
		out = append(out, "udp "+udp.String())
	}
	return out
}
