// Ask: the questions of commands, read from their arguments.

package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/site"
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

// Meant returns the arguments PROTO HOST PORT that a person means by other arguments, such as
// "https://a.example/", "a.example:443" and "tcp a.example:443"; "" if that is not clear.
func Meant(args []string) string {
	proto, rest := "tcp", args
	if len(rest) > 0 && (strings.EqualFold(rest[0], "tcp") || strings.EqualFold(rest[0], "udp")) {
		proto, rest = strings.ToLower(rest[0]), rest[1:]
	}
	port := ""
	if len(rest) == 2 {
		port, rest = rest[1], rest[:1]
	}
	if len(rest) != 1 {
		return ""
	}
	host := rest[0]
	if scheme, after, is := strings.Cut(host, "://"); is {
		host, _, _ = strings.Cut(after, "/")
		host, _, _ = strings.Cut(host, "?")
		if usual := map[string]string{"https": "443", "wss": "443", "http": "80", "ws": "80"}[strings.ToLower(scheme)]; port == "" {
			port = usual
		}
	}
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	if _, err := rules.ParsePort(port); err != nil {
		return ""
	}
	if _, err := rules.ParseHost(host); err != nil {
		return ""
	}
	return proto + " " + host + " " + port
}

// ClientIdentity returns what the client of a question has proven beside its address: what text says,
// in the form of the journal's field identity, or else all that the client demands that is asked as.
func ClientIdentity(cfg *site.Config, name, from, text string) (*rules.Identity, error) {
	if text != "" {
		i, ok := rules.ParseIdentity(text)
		if meant := meantIdentity(cfg, text, i); !ok || meant != "" {
			return nil, fmt.Errorf("--identity %q is not an identity: user:NAME, a name of a certificate such as DNS:NAME, or both with a space between them%s", text, meant)
		}
		return i, nil
	}
	if from == "" {
		for _, c := range cfg.Clients {
			if c.Name == name || name == "" && len(cfg.Clients) == 1 {
				return c.Demanded(), nil
			}
		}
	}
	return nil, nil
}

// meantIdentity returns what a text without a mark probably means, as the end of a problem: the user
// or the name of a certificate that the configuration has, or else a user. It returns "" for a text
// with a mark.
func meantIdentity(cfg *site.Config, text string, i *rules.Identity) string {
	if i == nil || len(i.Certificate) == 0 || strings.ContainsAny(i.Certificate[0], "=:") {
		return ""
	}
	bare := i.Certificate[0]
	for _, c := range cfg.Clients {
		if c.Users != nil && c.Users.Names[bare] {
			return ": did you mean user:" + bare + "?"
		}
		for _, mark := range []string{"CN=", "DNS:"} {
			if slices.Contains(c.Certificates, mark+bare) {
				return ": did you mean " + strings.Replace(text, bare, mark+bare, 1) + "?"
			}
		}
	}
	return ": did you mean user:" + bare + "?"
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
