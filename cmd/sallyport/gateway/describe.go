// Describe: a policy and a client, each in one line.

package gateway

import (
	"fmt"
	"strings"

	"sallyport/rules"
	"sallyport/rules/site"
)

// DescribePolicy says in one line what is in force.
func DescribePolicy(cfg *site.Config, p *rules.Policy) string {
	mode := "enforce"
	if cfg.Audit {
		mode = "AUDIT: undocumented destinations are let through and journaled as would_deny"
	}
	clients := "clients"
	if len(cfg.Clients) == 1 {
		clients = "client"
	}
	return fmt.Sprintf("revision %s, %d %s, %d rules in force, mode %s", p.Revision(), len(cfg.Clients), clients, p.Rules(), mode)
}

// DescribeClient names a client and what it is.
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
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return c.Name
	}
	return c.Name + " (" + strings.Join(parts, "; ") + ")"
}
