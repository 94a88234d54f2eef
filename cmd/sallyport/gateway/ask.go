// Ask: the question that a running gateway would ask, without touching the
// network.

package gateway

import (
	"fmt"
	"net/netip"
	"sallyport/rules"
	"sallyport/rules/site"
	"strings"
)

// ParseQuestion returns the attempt that a front end would make for PROTO, HOST
// and PORT from an address. A host that is not a name is a question too: its
// answer is malformed_name.
func ParseQuestion(from netip.Addr, fields []string) (rules.Attempt, error) {
	a := rules.Attempt{Client: netip.AddrPortFrom(from, 0), Provisional: true}
	switch strings.ToLower(fields[0]) {
	case "tcp":
		a.Proto, a.Via = rules.TCP, rules.ViaConnect
	case "udp":
		a.Proto, a.Via = rules.UDP, rules.ViaUDP
	default:
		return a, fmt.Errorf("protocol %q is neither tcp nor udp", fields[0])
	}
	port, err := rules.ParsePort(fields[2])
	if err != nil {
		return a, err
	}
	text := fields[1]
	if in, ok := strings.CutPrefix(text, "["); ok && strings.Contains(in, ":") {
		text = strings.TrimSuffix(in, "]") // [::1], as people copy it
	}
	host, err := rules.ParseHost(text)
	if err != nil {
		a.Fault, a.Detail, a.Raw = rules.MalformedName, err.Error(), []byte(fields[1])
	}
	a.Authority, a.Dest = host.Name, netip.AddrPortFrom(host.Addr, port)
	return a, nil
}

// Ask returns the decision of a policy on an attempt, and the attempt that was
// decided last. If the policy permits a name that [hosts] gives addresses, Ask
// asks about each address: the gateway reaches the name if it reaches one of these
// addresses.
func Ask(cfg *site.Config, policy *rules.Policy, a rules.Attempt) (rules.Attempt, rules.Decision) {
	asked, d := a, policy.Decide(a)
	if !d.Allowed() || a.Authority.IsZero() {
		return asked, d
	}
	for _, addr := range cfg.Hosts[a.Authority] {
		asked.Dest = netip.AddrPortFrom(addr, a.Dest.Port())
		if d = policy.Decide(asked); d.Allowed() {
			break
		}
	}
	return asked, d
}
