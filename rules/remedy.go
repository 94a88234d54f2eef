// Remedy: which settings of the site would put the nearest documented rule in
// force for a denied attempt. A hint prints it, a suggestion writes it.

package rules

import (
	"slices"
	"strconv"
	"strings"
)

// A Remedy is what the nearest documented rule of a denied attempt requires. If the
// site sets Features, Version, Port and Bind as the Remedy lists them, and if there are
// no obstacles, the rule permits the attempt.
type Remedy struct {
	Rule     *Rule
	Client   *Client
	Profile  int      // index of the rule's profile among the client's profiles; -1: the client does not have it
	Features []string // the features to turn on
	Version  string   // the version to set; "": the client's version is right
	Port     string   // name of the configurable port to set to the attempt's port; "": none
	Bind     string   // role to give the attempt's destination as address; "": none

	Obstacles []Obstacle // conditions that no setting can change
}

// An Obstacle is a condition of a rule that no setting of the site meets.
type Obstacle uint8

// The obstacles.
const (
	OtherDestination Obstacle = iota // the rule lists another name or address, which is only near
	OtherPort                        // the document has other ports, and none of them is configurable
	OtherRole                        // the rule is for another role
	OtherProfile                     // the client does not have the profile
	OneHost                          // the connection never leaves its host
	LeftOut                          // the site leaves the rule out by "without"
)

// RemedyOf returns the remedy of a denied attempt, or nil if no documented rule is
// near. It allocates: the hot path does not call it.
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
	if cp.leavesOut(r) {
		m.Obstacles = append(m.Obstacles, LeftOut)
	}
	return m
}

// Settable reports whether settings alone make the rule permit the attempt.
func (m *Remedy) Settable() bool { return m != nil && len(m.Obstacles) == 0 }

// profile returns the client's choices for the rule's profile, or nil if the client
// does not have that profile.
func (m *Remedy) profile() *ClientProfile {
	if m.Profile < 0 {
		return nil
	}
	return &m.Client.Profiles[m.Profile]
}

// bind finds a role of the rule that the site gives no addresses for.
func (m *Remedy) bind(a *Attempt) {
	for _, t := range m.Rule.To {
		if t.Role != "" && len(m.Client.Bound(m.Profile, t.Role)) == 0 && (!a.Target().IsZero() || a.Dest.Addr().IsValid()) {
			m.Bind = t.Role
			return
		}
	}
	m.Obstacles = append(m.Obstacles, OtherDestination)
}

// firstUserPort is the first registered port (RFC 6335, section 6). A site does not
// move a product's configurable port below it.
const firstUserPort = 1024

// setPort finds the configurable port of the rule that the site may have moved to the
// attempt's port.
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

// profileIndex returns the index of a rule's profile among those of the client. It
// prefers the profile with the rule's role. It is -1 if the client does not have
// the profile.
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

// needs returns every condition of the rule that the attempt does not meet. The
// condition that is the easiest to remedy comes first.
func (m *Remedy) needs(a *Attempt) []string {
	var out []string
	cp, r, client := m.profile(), m.Rule, m.Client.Name
	for _, f := range m.Features {
		out = append(out, "when feature "+f+" is on: add "+strconv.Quote(f)+" to the features of client "+strconv.Quote(client))
	}
	if m.Version != "" {
		out = append(out, "for versions "+versionRange(r)+": client "+strconv.Quote(client)+" has "+versionOr(cp.Version)+
			"; if the product of that client has a version "+versionRange(r)+", set version = \"…\" of client "+strconv.Quote(client))
	}
	if m.Port != "" || slices.Contains(m.Obstacles, OtherPort) {
		out = append(out, notOnPort(a, cp, r))
	}
	switch {
	case slices.Contains(m.Obstacles, OneHost):
		out = append(out, "between programs of one host only: it permits nothing across the gateway")
	case slices.Contains(m.Obstacles, OtherRole):
		out = append(out, "from role "+r.From+": client "+strconv.Quote(client)+" has role "+cp.Role)
	}
	return out
}

// notOnPort returns the ports that a rule has instead of the attempt's port.
func notOnPort(a *Attempt, cp *ClientProfile, r *Rule) string {
	return "on " + listed(cp.PortsOf(r)) + ": not on " + a.Proto.String() + " " + strconv.Itoa(int(a.Dest.Port()))
}
