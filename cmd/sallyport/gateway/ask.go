// Ask: the questions of commands, read from their arguments.

package gateway

import (
	"errors"
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
	proto := rules.TCP
	switch strings.ToLower(fields[0]) {
	case "tcp":
	case "udp":
		proto = rules.UDP
	default:
		return rules.Attempt{}, fmt.Errorf("protocol %q is neither tcp nor udp", fields[0])
	}
	port, err := rules.ParsePort(fields[2])
	if err != nil {
		return rules.Attempt{}, err
	}
	return site.Question(from, proto, fields[1], port), nil
}

// ClientAddress returns the address to ask from: from if it is set, else an address
// of the named client, else an address of the only client.
func ClientAddress(cfg *site.Config, policy *rules.Policy, name, from string) (netip.Addr, error) {
	if name != "" && from != "" {
		return netip.Addr{}, errors.New("give either --client or --from, not both")
	}
	if from != "" {
		a, err := netip.ParseAddr(from)
		if err != nil || a.Zone() != "" {
			return netip.Addr{}, fmt.Errorf("--from %q is not an address", from)
		}
		return a.Unmap(), nil
	}
	var names []string
	for _, c := range cfg.Clients {
		names = append(names, c.Name)
		if name != "" && c.Name != name || name == "" && len(cfg.Clients) > 1 {
			continue
		}
		if a, ok := site.SourceOf(policy, c); ok {
			return a, nil
		}
		return netip.Addr{}, fmt.Errorf("client %q shares its sources with other clients: ask with --from ADDRESS", c.Name)
	}
	if name != "" {
		return netip.Addr{}, fmt.Errorf("there is no client %q; the clients are %s", name, strings.Join(names, ", "))
	}
	if len(names) == 0 {
		return netip.Addr{}, errors.New("the configuration has no [[client]]: ask with --from ADDRESS")
	}
	return netip.Addr{}, fmt.Errorf("which client asks? give --client NAME or --from ADDRESS; the clients are %s", strings.Join(names, ", "))
}
