// Judge: turns the results of the addresses into the result of the destination.

package preflight

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/rules"
)

// judge summarizes the addresses. at is the destination without an address.
func (d *Destination) judge(at place) {
	if d.Proto == rules.UDP.String() {
		d.judgeUDP()
		return
	}
	var works, warns, fails, open int
	for _, a := range d.Results {
		switch {
		case a.Status == OK:
			works++
		case a.Status == Warning:
			works, warns = works+1, warns+1
		case a.Status == Unfinished:
			open++
		case a.Problem != NoRoute: // a missing address family of this host is not the destination's fault
			fails++
		}
	}
	switch {
	case open > 0:
		d.Status = Unfinished
	case works == 0:
		d.Status, d.Finding = Failed, d.sum(at, Failed)
	case fails > 0:
		d.Status, d.Finding = Warning, d.sum(at, Failed)
		d.Detail = fmt.Sprintf("%d of %d addresses work; %s: %s", works, len(d.Results), d.Problem, d.Detail)
		d.Problem = Partly
	case warns > 0:
		d.Status, d.Finding = Warning, d.sum(at, Warning)
	default:
		d.Status = OK
	}
}

// sum describes the addresses with one status: it takes the addresses with the
// same problem as the first address. It skips addresses without a route, unless
// no address has a route.
func (d *Destination) sum(at place, status Status) Finding {
	var first *Address
	for _, a := range d.Results {
		if a.Status == status && (first == nil || first.Problem == NoRoute) {
			first = a
		}
	}
	var addrs, froms []string
	at.own, at.inside = true, true
	for _, a := range d.Results {
		if a.Status != status || a.Problem != first.Problem {
			continue
		}
		addrs = append(addrs, a.Address)
		at.own, at.inside = at.own && a.at.own, at.inside && a.at.inside
		if a.TCP != nil && a.TCP.From != "" && !slices.Contains(froms, a.TCP.From) {
			froms = append(froms, a.TCP.From)
		}
	}
	at.addr, at.from = strings.Join(addrs, ", "), strings.Join(froms, " and ")
	return at.finding(first.Problem, at.addr+": "+first.Detail)
}

// judgeUDP reports what is known about a UDP destination: whether its name
// resolves.
func (d *Destination) judgeUDP() {
	if !slices.ContainsFunc(d.Results, func(a *Address) bool { return a.Status != Failed }) {
		d.Status, d.Finding = Failed, d.Results[0].Finding
		return
	}
	d.Status, d.Detail = NotTried, "UDP: even a server that works may not answer a harmless datagram"
	if d.Port == 53 {
		d.Detail = "DNS: sallyport answers DNS queries itself"
	}
	if d.DNS != nil {
		d.Detail += "; the name resolves"
	}
}
