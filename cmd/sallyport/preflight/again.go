// Again: tries an address a second time after a timeout. One burst of lost
// packets or a busy server then does not look like a firewall. The gateway's
// own resolver repeats look-ups itself.

package preflight

import (
	"context"
	"net/netip"
	"strings"

	"sallyport/rules"
)

// twice tries an address. If the try times out, twice tries it once more.
func (r *runner) twice(ctx context.Context, t *target, g asked, addr netip.Addr, at place) *Address {
	first := r.once(ctx, t, g, addr, at)
	if !first.timedOut() {
		return first
	}
	second := r.once(ctx, t, g, addr, at)
	if second.Status == Unfinished {
		return first // interrupted: the first result is all there is
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

// once tries an address as soon as one of the parallel steps is free.
func (r *runner) once(ctx context.Context, t *target, g asked, addr netip.Addr, at place) *Address {
	out := newAddress(addr, at)
	if !r.slot(ctx) {
		return out
	}
	defer r.free()
	s := &step{r: r, t: t, g: g, addr: addr, at: at, out: out}
	defer s.end()
	s.try(ctx)
	if ctx.Err() != nil && out.Status != OK { // the interruption caused the failure
		return newAddress(addr, at)
	}
	return out
}

// newAddress returns the result of an address that was not tried yet.
func newAddress(addr netip.Addr, at place) *Address {
	if !addr.IsValid() {
		return &Address{Address: "by the parent", Status: Unfinished, at: at}
	}
	out := &Address{Address: addr.String(), Family: "ipv6", Status: Unfinished, at: at}
	if addr.Is4() {
		out.Family = "ipv4"
	}
	return out
}

// timedOut reports whether the address failed by a timeout.
func (a *Address) timedOut() bool {
	switch a.Problem {
	case TCPTimedOut, TLSTimedOut, HTTPTimedOut, ParentTimedOut:
		return a.Status == Failed
	}
	return false
}

// denied records that the gateway would not dial the address, with the hint of
// its journal record.
func (a *Address) denied(why rules.Reason, hint string) {
	problem, detail := PolicyDenied, why.Help()
	switch why {
	case rules.PrivateAddress:
		problem, detail = PrivateAddress, hint
	case rules.Self:
		detail = hint // it tells a listener from a parent and a sink
	}
	a.Status, a.Finding = Failed, a.at.finding(problem, detail)
}
