// Again: what timed out at an address is tried a second time, so that one burst
// of lost packets, or a server that was busy, is not called a firewall.
// (Look-ups are repeated by the gateway's own resolver.)

package preflight

import (
	"context"
	"net/netip"
	"strings"

	"sallyport/rules"
)

// twice tries an address, and once more if that timed out.
func (r *runner) twice(ctx context.Context, t *target, g asked, addr netip.Addr, at place) *Address {
	first := r.once(ctx, t, g, addr, at)
	if !first.timedOut() {
		return first
	}
	second := r.once(ctx, t, g, addr, at)
	if second.Status == Unfinished {
		return first // interrupted: what is known so far
	}
	second.Tries = 2
	switch {
	case second.Status == OK:
		second.Status, second.Finding = Warning, at.finding(SecondTry, "at the first try: "+first.Detail)
	case second.Problem == first.Problem:
		second.Detail += ", twice"
	default:
		second.Detail += "; at the first try " + strings.ReplaceAll(string(first.Problem), "_", " ")
	}
	return second
}

// once tries an address, when there is a place among the steps at once.
func (r *runner) once(ctx context.Context, t *target, g asked, addr netip.Addr, at place) *Address {
	out := newAddress(addr, at)
	if !r.slot(ctx) {
		return out
	}
	defer r.free()
	s := &step{r: r, t: t, g: g, addr: addr, at: at, out: out}
	defer s.end()
	s.try(ctx)
	if ctx.Err() != nil && out.Status != OK { // what failed then failed because of that
		return newAddress(addr, at)
	}
	return out
}

// newAddress is one of which nothing is known yet.
func newAddress(addr netip.Addr, at place) *Address {
	out := &Address{Address: addr.String(), Family: "ipv6", Status: Unfinished, at: at}
	if addr.Is4() {
		out.Family = "ipv4"
	}
	return out
}

// timedOut tells whether nothing came in time.
func (a *Address) timedOut() bool {
	switch a.Problem {
	case TCPTimedOut, TLSTimedOut, HTTPTimedOut:
		return a.Status == Failed
	}
	return false
}

// denied notes that the gateway would not go to the address, and the hint that
// its journal would have.
func (a *Address) denied(why rules.Reason, hint string) {
	problem, detail := PolicyDenied, why.Help()
	if why == rules.PrivateAddress {
		problem, detail = PrivateAddress, hint
	}
	a.Status, a.Finding = Failed, a.at.finding(problem, detail)
}
