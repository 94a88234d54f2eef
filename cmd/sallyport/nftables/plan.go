// Plan: computes the packet filter from a configuration.

package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"sallyport/cmd/sallyport/terminal"
	"sallyport/rules"
	"sallyport/rules/site"
)

// A Plan holds the data for the templates.
type Plan struct {
	File, Revision string // of the configuration
	Mode           Mode
	User           string
	Mark, Own      string // bits of the connection mark: the flow passes without sallyport; sidecar: it is sallyport's own or was opened from outside
	Zone           int    // sidecar: the conntrack zone of sallyport's own queries

	TPROXY             bool   // packets come to sallyport unchanged
	PacketMark         string // TPROXY: the bit of the packet mark that selects the route to this host
	TCP, DNS           targets
	DNSPorts           []string // the ports that the DNS filter answers from
	Sources4, Sources6 []string // of every client
	Local4, Local6     []string
	Synthetic          []string // expressions for packets to synthetic addresses
	Parents4, Parents6 []string // address and port of each parent
	Clients            []clientFilter
	Masquerade, DHCP   bool
	HasSets            bool

	Bound4, Bound6           []string // client addresses with neighbours
	Neighbours4, Neighbours6 []string // addresses with their link-layer addresses
	Interfaces               []string // expressions that match packets on the wrong interface
	Warnings                 []string
}

// A clientFilter lists which packets of one client may pass without sallyport.
type clientFilter struct {
	Name               string
	Sources4, Sources6 []string // the first client whose sources match gets the packet
	Audit              bool
	Judged             bool // a rule lists TCP 853, the port of DNS over TLS
	QUIC               bool // a rule lists UDP 443, the port of QUIC
	Passes             []pass
	Sets               []addressSet
}

// Chain returns the name of the client's chain.
func (c clientFilter) Chain() string { return "client/" + c.Name }

// ownZone is a conntrack zone that other programs are unlikely to use.
const ownZone = 21359

// dockerResolver is the address of Docker's resolver in a container.
var dockerResolver = netip.MustParseAddr("127.0.0.11")

// NewPlan computes the filter. It fails if the result would pass nothing at
// all, or not what the options ask for.
func NewPlan(cfg *site.Config, policy *rules.Policy, o Options) (*Plan, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Plan{
		File: oneLine(cfg.File), Revision: policy.Revision(), Mode: o.Mode, User: o.User, Mark: fmt.Sprintf("%#08x", passedMark), Own: fmt.Sprintf("%#08x", ownMark), Zone: ownZone,
		Masquerade: o.Masquerade, DHCP: o.DHCP, TPROXY: diverts(cfg, o), PacketMark: fmt.Sprintf("%#08x", divertedMark),
	}
	var err error
	if p.TCP, p.DNS, err = listenTargets(cfg, o); err != nil {
		return nil, err
	}
	for _, a := range cfg.Listen.DNS {
		p.DNSPorts = append(p.DNSPorts, strconv.Itoa(int(a.Port())))
	}
	slices.Sort(p.DNSPorts)
	p.DNSPorts = slices.Compact(p.DNSPorts)
	p.Local4, p.Local6 = byFamily(o.Local)
	if err := p.keepSynthetic(cfg, o); err != nil {
		return nil, err
	}
	grants := policy.Grants()
	var all []netip.Prefix
	of := map[*rules.Client][]rules.Grant{}
	for _, g := range grants {
		of[g.Client] = append(of[g.Client], g)
	}
	for _, cl := range cfg.Clients {
		f := clientFilter{Name: cl.Name, Audit: cl.Audit}
		remote := slices.DeleteFunc(slices.Clone(cl.Sources), isLoopback)
		f.Sources4, f.Sources6 = byFamily(remote)
		all = append(all, remote...)
		if cl.Demands() {
			continue // a packet proves no identity, so it passes only by the rules of a client that needs none
		}
		for _, g := range of[cl] {
			if g.Rule.Any || g.TCP.Has(853) {
				f.Judged = true
			}
			if g.Rule.Any || g.UDP.Has(443) {
				f.QUIC = true
			}
			f.add(g, p.TPROXY)
		}
		p.HasSets = p.HasSets || len(f.Sets) > 0
		if len(remote) > 0 {
			p.Clients = append(p.Clients, f)
		}
	}
	p.Sources4, p.Sources6 = byFamily(all)
	if len(all) == 0 {
		return nil, p.noClients(cfg)
	}
	var known []Neighbour
	if o.NeighbourTable {
		if known, err = neighbourTable(0); err != nil {
			return nil, fmt.Errorf("the neighbour table: %w", err)
		}
	}
	if err := p.bind(cfg, o, known); err != nil {
		return nil, err
	}
	p.addParents(cfg)
	p.separate()
	p.warn(cfg)
	return p, nil
}

// noClients returns the error for a configuration whose clients are all on loopback.
func (p *Plan) noClients(cfg *site.Config) error {
	if p.Mode == Sidecar {
		return errors.New(cfg.File + ": every [[client]] is on loopback only; the application connects from this namespace's own address: add it, or 0.0.0.0/0 and ::/0, to sources")
	}
	return errors.New(cfg.File + ": no [[client]] has sources beyond loopback, so there is no traffic to redirect: list the addresses that packets come from")
}

// warn adds a warning for each part of the result that may surprise the operator.
func (p *Plan) warn(cfg *site.Config) {
	for _, f := range []struct {
		family, tcp, dns string
		sources          []string
	}{{"IPv4", p.TCP.V4, p.DNS.V4, p.Sources4}, {"IPv6", p.TCP.V6, p.DNS.V6, p.Sources6}} {
		if len(f.sources) > 0 && (f.tcp == "" || f.dns == "") {
			p.Warnings = append(p.Warnings, fmt.Sprintf("no listener receives redirected %s traffic, so %s is dropped instead of redirected: listen on [::] for both families", f.family, f.family))
		}
	}
	if p.HasSets {
		p.Warnings = append(p.Warnings, "datagrams to names pass only while sallyport keeps the addresses of these names in sets: start sallyport with --live-sets")
	}
	asked := slices.ContainsFunc(cfg.DNS.Upstreams, func(s string) bool {
		u, err := rules.ParseUpstream(s)
		return s == "system" || err == nil && u.Addr.Addr() == dockerResolver
	})
	if p.Mode == Sidecar && asked {
		p.Warnings = append(p.Warnings, `[dns] upstreams: in a container "system" is Docker's resolver. It sends its queries as another user, so the filter redirects these queries back to sallyport: list the site's own resolvers, and use 127.0.0.11 in [[dns.zone]] only`)
	}
}

// byFamily returns prefixes as sorted nft elements, without prefixes that another prefix
// contains.
func byFamily(list []netip.Prefix) (v4, v6 []string) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b netip.Prefix) int {
		if a.Addr() != b.Addr() {
			return a.Addr().Compare(b.Addr())
		}
		return a.Bits() - b.Bits()
	})
	var last netip.Prefix
	for _, p := range list {
		if last.IsValid() && last.Overlaps(p) {
			continue // sorted: the wider prefix came first
		}
		last = p
		text := p.String()
		if p.IsSingleIP() {
			text = p.Addr().String()
		}
		if p.Addr().Is4() {
			v4 = append(v4, text)
		} else {
			v6 = append(v6, text)
		}
	}
	return v4, v6
}

// oneLine shortens text to one line for a comment.
func oneLine(s string) string {
	s = terminal.Printable(s)
	if r := []rune(s); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return s
}
