// Parent: a proxy of the site through which sallyport reaches destinations, and the route of a
// flow through it.

package rules

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The protocols of a parent.
const (
	ParentHTTP   = "http"
	ParentHTTPS  = "https"
	ParentSOCKS5 = "socks5"
)

// RouteDirect is the value of a parent key for flows that no parent carries. No parent has
// this name.
const RouteDirect = "direct"

// A Parent is one [[parent]] of the configuration. A decision always comes first: a parent
// carries only what the policy permits.
type Parent struct {
	Name    string
	Scheme  string        // ParentHTTP, ParentHTTPS or ParentSOCKS5
	At      Authority     // where it listens
	ByName  bool          // it resolves the names of destinations; sallyport does not
	Default bool          // it carries the flows of clients and rules that name no parent
	Direct  []Destination // names, wildcards and prefixes that sallyport reaches without it
	Health  time.Duration // how often it is checked without a flow; 0: only flows show how it is
	Line    int

	Login       Login            // the zero Login: none
	Roots       *x509.CertPool   // of an https parent; nil: the authorities of this host
	Certificate *tls.Certificate // for an https parent; nil: none
	Unread      error            // why a file of the parent could not be read by this user; nil: all were read
}

// A Login is what sallyport shows to a parent. Its text forms hide it.
type Login struct{ User, Password string }

// String hides the login.
func (Login) String() string { return "(hidden)" }

// GoString hides the login.
func (Login) GoString() string { return "rules.Login{hidden}" }

// HTTP reports whether the parent is an HTTP proxy, with or without TLS.
func (p *Parent) HTTP() bool { return p.Scheme != ParentSOCKS5 }

// URL returns the parent's protocol and address. It has no login.
func (p *Parent) URL() string { return p.Scheme + "://" + p.At.String() }

// String describes the parent in one line.
func (p *Parent) String() string {
	by := "by address"
	if p.ByName {
		by = "by name"
	}
	return p.Name + " (" + p.URL() + ", " + by + ")"
}

// listsDirect reports whether the parent lists a destination as direct.
func (p *Parent) listsDirect(n Name, addr netip.Addr) bool {
	return slices.ContainsFunc(p.Direct, func(d Destination) bool {
		switch {
		case d.Prefix.IsValid():
			return addr.IsValid() && d.Prefix.Contains(addr)
		case d.Wildcard:
			return n.Below(d.Name)
		}
		return !n.IsZero() && n == d.Name
	})
}

// A Route is the way of a permitted flow. A nil Route is the direct way: sallyport itself
// connects to the destination.
type Route struct {
	Parents []*Parent // in the order of trying; all of one kind, and all by name or all by address
	ruled   bool      // the rule itself names them: their lists of direct destinations do not count
}

// ByName reports whether the parents resolve the name of the destination.
func (r *Route) ByName() bool { return r != nil && r.Parents[0].ByName }

// Direct reports whether the site wants a destination reached without the parents: the list
// of the first parent counts. n is zero if the destination is an address; addr is zero until
// an address is known.
func (r *Route) Direct(n Name, addr netip.Addr) bool {
	return r == nil || !r.ruled && r.Parents[0].listsDirect(n, addr)
}

// Route returns the way of the flow that d permits; nil: the direct way.
func (d *Decision) Route() *Route {
	switch {
	case d.policy == nil || len(d.policy.parents) == 0:
		return nil
	case d.grant != nil:
		return d.grant.route
	case d.scope != nil:
		return d.scope.route
	}
	return nil
}

// Route returns the way of the flows that a grant permits.
func (g *Grant) Route() *Route {
	if g.grant == nil {
		return nil
	}
	return g.grant.route
}

// Parents returns the parents of the configuration. A nil Policy has none.
func (p *Policy) Parents() []*Parent {
	if p == nil {
		return nil
	}
	return p.parents
}

// Parents returns the parents of the policy that decided.
func (d *Decision) Parents() []*Parent { return d.policy.Parents() }

// Routes returns the ways through parents, each once. A nil Policy has none.
func (p *Policy) Routes() []*Route {
	if p == nil {
		return nil
	}
	return p.routes
}

// IsOwn reports whether dest leads back to sallyport: it is one of its listeners.
func (p *Policy) IsOwn(dest netip.AddrPort) bool { return p != nil && p.own.Is(dest) }

// Own reports whether dest leads back to sallyport, by the policy that decided.
func (d *Decision) Own(dest netip.AddrPort) bool { return d.policy.IsOwn(dest) }

// routes finds the route of each client and rule. Equal keys have one route.
type routes struct {
	parents []*Parent
	usual   *Route
	all     []*Route
	named   map[string]*Route
}

func newRoutes(parents []*Parent) *routes {
	r := &routes{parents: parents, named: map[string]*Route{}}
	var usual []*Parent
	for _, p := range parents {
		if p.Default {
			usual = append(usual, p)
		}
	}
	if len(usual) == 0 && len(parents) > 0 {
		usual = parents[:1]
	}
	if len(usual) > 0 {
		r.usual = &Route{Parents: usual}
		r.all = []*Route{r.usual}
	}
	return r
}

// of returns the route that a parent key names. Without a key it is otherwise.
func (r *routes) of(names []string, otherwise *Route, ruled bool) *Route {
	if len(names) == 0 {
		return otherwise
	}
	if names[0] == RouteDirect {
		return nil
	}
	key := fmt.Sprint(ruled, strings.Join(names, " "))
	if made := r.named[key]; made != nil {
		return made
	}
	out := &Route{ruled: ruled}
	for _, name := range names {
		for _, p := range r.parents {
			if p.Name == name {
				out.Parents = append(out.Parents, p)
			}
		}
	}
	if len(out.Parents) == 0 {
		return otherwise
	}
	r.named[key], r.all = out, append(r.all, out)
	return out
}

// DialedBy returns how the parent of a flow was asked for its destination: "address" or
// "name"; "" if no parent carries the flow.
func (a *Attempt) DialedBy() string {
	switch {
	case a.Parent == nil:
		return ""
	case a.Dest.Addr().IsValid():
		return "address"
	}
	return "name"
}
