// Describe: a policy, a client and the names of clients, each in one line.

package gateway

import (
	"fmt"
	"strings"

	"sallyport/cmd/sallyport/terminal"
	"sallyport/rules"
	"sallyport/rules/site"
)

// DescribePolicy describes in one line the policy in force.
func DescribePolicy(cfg *site.Config, p *rules.Policy) string {
	mode := "enforce"
	if cfg.Audit {
		mode = "AUDIT: undocumented destinations are let through and journaled as would_deny"
	}
	clients, inForce := rules.Counted(len(cfg.Clients), "client", "clients"), rules.Counted(p.Rules(), "rule", "rules")
	return fmt.Sprintf("revision %s, %s, %s in force, mode %s", p.Revision(), clients, inForce, mode)
}

// DescribeProfiles describes each profile of a configuration that was read from a file.
func DescribeProfiles(cfg *site.Config) []string {
	var out []string
	for _, p := range cfg.Profiles {
		if p.Origin != "" {
			out = append(out, fmt.Sprintf("%s from %s: %s", p.Name, terminal.Printable(p.File), p.Origin))
		}
	}
	return out
}

// replacements names the profiles from files that are in the place of shipped ones; ""
// if there is none.
func replacements(cfg *site.Config) string {
	var out []string
	for _, p := range cfg.Profiles {
		if p.Replaced != nil {
			out = append(out, fmt.Sprintf("; %s from %s: %s", p.Name, terminal.Printable(p.File), p.Origin))
		}
	}
	return strings.Join(out, "")
}

// DescribeClient returns the name of a client with its profiles and roles.
func DescribeClient(c *rules.Client) string {
	if c == nil {
		return "unknown"
	}
	var parts []string
	for _, p := range c.Profiles {
		s := p.Profile.Name + ", role " + p.Role
		if p.Version != "" {
			s += ", version " + p.Version
		}
		if len(p.Features) > 0 {
			s += ", with " + strings.Join(p.Features, ", ")
		}
		if len(p.Without) > 0 {
			s += ", without " + strings.Join(p.Without, ", ")
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return c.Name
	}
	return c.Name + " (" + strings.Join(parts, "; ") + ")"
}

// describeBalancers describes whose connections must begin with a PROXY header; "" if there are
// none.
func describeBalancers(l site.Listen) string {
	if len(l.ProxyProtocolFrom) == 0 {
		return ""
	}
	var from []string
	for _, p := range l.ProxyProtocolFrom {
		from = append(from, p.String())
	}
	return "each TCP connection from " + strings.Join(from, ", ") + " must begin with a PROXY header, which names the client"
}

// ClientNames lists the names of a configuration's first clients.
func ClientNames(cfg *site.Config) string {
	var names []string
	for i, c := range cfg.Clients {
		if i == 12 {
			names = append(names, fmt.Sprintf("and %d more", len(cfg.Clients)-i))
			break
		}
		names = append(names, c.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
