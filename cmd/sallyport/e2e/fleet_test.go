//go:build linux

// Fleet: one client per profile and role, each with a source address of its
// own, and the configuration that knows them.

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// client is one [[client]] of the configuration.
type client struct {
	name, profile, role string
	host                int // last part of its addresses
	version             string
	features            []string
	ports               string
	addresses           map[string][]string
}

func (c client) v4() string { return fmt.Sprintf("10.77.0.%d", c.host) }
func (c client) v6() string { return fmt.Sprintf("fd77::%d", c.host) }

// unknownHost is an address on the clients' side that no [[client]] covers.
const unknownHost = 99

// The bound addresses: a site binds names, addresses of both families, or both.
var (
	onpremManager = map[string][]string{"manager": {"10.20.30.40", "fd20:30::40", "esm.corp.example", "10.20.30.41", "fd20:30::41"}}
	cyberCommand  = map[string][]string{"manager": {"10.20.31.1"}}
	sepManager    = map[string][]string{
		"manager":         {"sepm.corp.example", "10.20.32.1"},
		"update-provider": {"10.20.32.2"},
		"cloud-console":   {"cloud.corp.example"},
	}
)

// fleet lists the clients. The first is the source of tools that cannot choose
// their source address.
var fleet = []client{
	{name: "es-manager", host: 11, profile: "endpoint-secure-onprem", role: "manager",
		features: []string{"neural-x", "cyber-guardian", "sample-submission"}},
	{name: "es-agent", host: 12, profile: "endpoint-secure-onprem", role: "agent",
		features: []string{"advanced-troubleshooting"}, addresses: onpremManager},
	{name: "saas-agent", host: 13, profile: "endpoint-secure-saas", role: "agent", version: "6.0.3"},
	{name: "cc", host: 14, profile: "cyber-command", role: "manager", addresses: map[string][]string{
		"ngaf": {"10.20.31.2"}, "es": {"10.20.31.3"}, "iag": {"10.20.31.4", "fd20:31::4"}}},
	{name: "cc-sta", host: 15, profile: "cyber-command", role: "sta", addresses: cyberCommand},
	{name: "cc-ngaf", host: 16, profile: "cyber-command", role: "ngaf", addresses: cyberCommand},
	{name: "cc-es", host: 17, profile: "cyber-command", role: "es", addresses: cyberCommand},
	{name: "cc-iag", host: 18, profile: "cyber-command", role: "iag", addresses: cyberCommand},
	{name: "sep-manager", host: 19, profile: "symantec-endpoint-protection", role: "manager", version: "14.3 RU8",
		addresses: map[string][]string{"client": {"10.20.32.3", "fd20:32::3"}, "database": {"10.20.32.4"}, "embedded-database": {"10.20.32.6"},
			"content-analysis": {"10.20.32.5"}, "cloud-console": {"cloud.corp.example"}}},
	{name: "sep-client", host: 20, profile: "symantec-endpoint-protection", role: "client", version: "14.2", addresses: sepManager},
	{name: "sep-console", host: 21, profile: "symantec-endpoint-protection", role: "console", addresses: sepManager},
	{name: "sep-rmm", host: 22, profile: "symantec-endpoint-protection", role: "rmm", addresses: sepManager},
	{name: "sep-spc", host: 23, profile: "symantec-endpoint-protection", role: "spc", version: "12.1.5", addresses: sepManager},
	{name: "sep-partner", host: 24, profile: "symantec-endpoint-protection", role: "replication-partner", addresses: sepManager},
	{name: "liveupdate", host: 25, profile: "symantec-liveupdate", role: "client"},
	{name: "liveupdate-manager", host: 26, profile: "symantec-liveupdate", role: "manager"},
	{name: "es-appliance", host: 27, profile: "endpoint-secure-onprem", role: "appliance",
		features: []string{"appliance-integration"}, addresses: onpremManager},
	// The near misses: no option is on, the version is current, or a port is moved.
	{name: "es-plain", host: 31, profile: "endpoint-secure-onprem", role: "manager"},
	{name: "es-agent-plain", host: 32, profile: "endpoint-secure-onprem", role: "agent",
		ports: "{ agent-upgrade = 4431 }", addresses: onpremManager},
	{name: "saas-current", host: 33, profile: "endpoint-secure-saas", role: "agent"},
	{name: "sep-old", host: 34, profile: "symantec-endpoint-protection", role: "client", version: "14.0.1", addresses: sepManager},
}

// clientFor returns the fleet's first client of a profile and role.
func clientFor(profile, role string) client {
	i := slices.IndexFunc(fleet, func(c client) bool { return c.profile == profile && c.role == role })
	if i < 0 {
		panic("fleet: nobody is " + profile + " " + role)
	}
	return fleet[i]
}

// named returns a client of the fleet, or the unknown client.
func named(name string) client {
	for _, c := range fleet {
		if c.name == name {
			return c
		}
	}
	return client{name: name, host: unknownHost}
}

// listening is the top of every configuration of the lab.
const listening = `
[listen]
http   = ["10.77.0.1:3128", "[fd77::1]:3128"]
socks5 = ["10.77.0.1:1080", "[fd77::1]:1080"]
dns    = ["10.77.0.1:53", "[fd77::1]:53"]
admin  = "127.0.0.1:9180"
[dns]
upstreams = ["udp://45.83.0.1:53", "udp://[2a0d:5600::1]:53"]
[journal]
path  = "denials.jsonl"
flows = "flows.jsonl"
`

// configuration writes [[client]] tables for clients below listening.
func configuration(clients []client, more ...string) string {
	return configurationOf(listening, clients, more...)
}

// configurationOf writes [[client]] tables for clients below top.
func configurationOf(top string, clients []client, more ...string) string {
	var b strings.Builder
	b.WriteString(top)
	for _, c := range clients {
		fmt.Fprintf(&b, "[[client]]\nname = %q\nsources = [\"%s/32\", \"%s/128\"]\nprofiles = [%q]\nrole = %q\n",
			c.name, c.v4(), c.v6(), c.profile, c.role)
		if c.version != "" {
			fmt.Fprintf(&b, "version = %q\n", c.version)
		}
		if c.ports != "" {
			fmt.Fprintf(&b, "ports = %s\n", c.ports)
		}
		fmt.Fprintf(&b, "features = [%s]\n", quoted(c.features))
		if len(c.addresses) > 0 {
			b.WriteString("[client.addresses]\n")
			for _, role := range slices.Sorted(maps.Keys(c.addresses)) {
				fmt.Fprintf(&b, "%s = [%s]\n", role, quoted(c.addresses[role]))
			}
		}
	}
	return b.String() + strings.Join(more, "\n")
}

func quoted(texts []string) string {
	q := make([]string, len(texts))
	for i, s := range texts {
		q[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(q, ", ")
}
