// Remedy: which settings of the site would put the nearest documented rule in
// force for a denied attempt. A hint prints it, a suggestion writes it.

package rules

import (
	"slices"
	"strconv"
	"strings"
)

// A Remedy is what the nearest documented rule of a denied attempt asks for.
// With Features, Version, Ports and Bind set as it says, and without obstacles,
// the rule permits the attempt.
type Remedy struct {
	Rule     *Rule
	Client   *Client
	Profile  int      // index of the rule's profile among the client's profiles; -1: the client does not have it
	Features []string // to turn on
	Version  string   // to set; "": the version of the client is no matter
	Port     string   // name of the configurable port to set to the attempt's port; "": none
	Bind     string   // role to bind to the attempt's destination; "": none

	Obstacles []Obstacle // what no setting changes
}

// An Obstacle is a condition of a rule that no setting of the site meets.
type Obstacle uint8

// The obstacles.
const (
	OtherDestination Obstacle = iota // the rule lists a name or address that is near, and not this one
	OtherPort                        // the document gives other ports, and none of them is configurable
	OtherRole                        // the document gives it to another role
	OtherProfile                     // the client does not have the profile
	OneHost                          // the connection never leaves its host
)

// RemedyOf returns the remedy of a denied attempt; nil: no documented rule is
// near it. It allocates: the hot path does not call it.
func RemedyOf(a Attempt, d Decision) *Remedy {
	r := d.Nearest
	if d.Client == nil || r == nil || r.Profile == SiteProfile {
		return nil
	}
	m := &Remedy{Rule: r, Client: d.Client, Profile: d.Client.profileIndex(r)}
	cp := m.profile()
	if cp == nil {
		m.Obstacles = append(m.Obstacles, OtherProfile)
		return m
	}
	lacks, version := cp.Lacks(r)
	m.Features = lacks
	if version {
		m.Version = versionIn(r.Since, r.Until)
	}
	if why := d.Why(); why == NotListed || why == IPLiteral {
		m.bind(&a)
	}
	m.setPort(cp, &a)
	if r.Local {
		m.Obstacles = append(m.Obstacles, OneHost)
	}
	if r.From != cp.Role {
		m.Obstacles = append(m.Obstacles, OtherRole)
	}
	return m
}

// Settable reports whether settings alone make the rule permit the attempt.
func (m *Remedy) Settable() bool { return m != nil && len(m.Obstacles) == 0 }

// profile returns the client's choices for the rule's profile; nil: it does not
// have that profile.
func (m *Remedy) profile() *ClientProfile {
	if m.Profile < 0 {
		return nil
	}
	return &m.Client.Profiles[m.Profile]
}

// bind finds the party of the rule that the site has bound to nothing.
func (m *Remedy) bind(a *Attempt) {
	for _, t := range m.Rule.To {
		if t.Role != "" && len(m.Client.Addresses[t.Role]) == 0 && (!a.Target().IsZero() || a.Dest.Addr().IsValid()) {
			m.Bind = t.Role
			return
		}
	}
	m.Obstacles = append(m.Obstacles, OtherDestination)
}

// firstUserPort is where the registered ports begin (RFC 6335, section 6). A
// product's configurable port is not moved to one below it.
const firstUserPort = 1024

// setPort finds the configurable port of the rule that the product may have been
// moved from.
func (m *Remedy) setPort(cp *ClientProfile, a *Attempt) {
	if m.Rule.Any || a.Via == ViaDNS {
		return
	}
	ports, udp := cp.PortsOf(m.Rule)
	if a.Proto == UDP {
		ports = udp
	}
	named := m.Rule.Configurable(a.Proto)
	switch {
	case ports.Has(a.Dest.Port()):
	case len(named) > 0 && a.Dest.Port() >= firstUserPort:
		m.Port = named[0]
	default:
		m.Obstacles = append(m.Obstacles, OtherPort)
	}
}

// profileIndex returns the place of a rule's profile among those of the client,
// the one in the rule's role before others; -1: the client does not have it.
func (c *Client) profileIndex(r *Rule) int {
	found := -1
	for i := range c.Profiles {
		if cp := &c.Profiles[i]; cp.Profile.Name == r.Profile {
			if cp.Role == r.From {
				return i
			}
			if found < 0 {
				found = i
			}
		}
	}
	return found
}

// versionIn returns a version with since <= version < until.
func versionIn(since, until string) string {
	if since != "" || until == "" {
		return since
	}
	parts := strings.FieldsFunc(until, func(r rune) bool { return r < '0' || r > '9' })
	for i := len(parts) - 1; i >= 0; i-- {
		if n, err := strconv.Atoi(parts[i]); err == nil && n > 0 {
			parts[i] = strconv.Itoa(n - 1)
			return strings.Join(parts[:i+1], ".")
		}
	}
	return "0"
}

// needs says in words what the attempt does not meet, the easiest to mend first.
func (m *Remedy) needs(a *Attempt) []string {
	var out []string
	cp, r, client := m.profile(), m.Rule, m.Client.Name
	for _, f := range m.Features {
		out = append(out, "when feature "+f+" is on: add "+strconv.Quote(f)+" to the features of client "+strconv.Quote(client))
	}
	if m.Version != "" {
		out = append(out, "for versions "+versionRange(r)+": client "+strconv.Quote(client)+" has "+versionOr(cp.Version))
	}
	if m.Port != "" || slices.Contains(m.Obstacles, OtherPort) {
		out = append(out, notOnPort(a, cp, r))
	}
	switch {
	case slices.Contains(m.Obstacles, OneHost):
		out = append(out, "between programs of one host only: nothing across the gateway")
	case slices.Contains(m.Obstacles, OtherRole):
		out = append(out, "from role "+r.From+": client "+strconv.Quote(client)+" has role "+cp.Role)
	}
	return out
}

// notOnPort says which ports a rule has instead of the attempt's.
func notOnPort(a *Attempt, cp *ClientProfile, r *Rule) string {
	return "on " + listed(cp.PortsOf(r)) + ": not on " + a.Proto.String() + " " + strconv.Itoa(int(a.Dest.Port()))
}
