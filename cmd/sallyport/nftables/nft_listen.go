// Where to: which of sallyport's listeners a packet filter sends traffic to.

package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sallyport/rules"
	"sallyport/rules/site"
)

// targets are nft statements, one per family; "" where no listener can take
// that family's packets, which are then dropped.
type targets struct{ V4, V6 string }

// targetsOf chooses the listener for each family. REDIRECT rewrites to an
// address of the incoming interface, or to loopback for the host's own packets,
// so that a listener on one address only needs DNAT to it.
func targetsOf(list []netip.AddrPort, mode Mode) targets {
	var t targets
	for _, v6 := range []bool{false, true} {
		fits := slices.DeleteFunc(slices.Clone(list), func(a netip.AddrPort) bool { return !takes(a.Addr(), v6, mode) })
		if len(fits) == 0 {
			continue
		}
		best := fits[0]
		if i := slices.IndexFunc(fits, func(a netip.AddrPort) bool { return redirectable(a.Addr(), mode) }); i >= 0 {
			best = fits[i]
		}
		text := fmt.Sprintf("redirect to :%d", best.Port())
		switch {
		case redirectable(best.Addr(), mode):
		case v6:
			text = "dnat ip6 to " + best.String()
		default:
			text = "dnat ip to " + best.String()
		}
		if v6 {
			t.V6 = text
		} else {
			t.V4 = text
		}
	}
	return t
}

// takes tells whether a listener on addr gets redirected packets of a family.
// [::] takes both.
func takes(addr netip.Addr, v6 bool, mode Mode) bool {
	switch {
	case addr.IsLoopback() && mode == Gateway: // forwarded packets never get there
		return false
	case addr == netip.IPv6Unspecified():
		return true
	}
	return addr.Is6() == v6
}

// redirectable tells whether REDIRECT reaches a listener on addr.
func redirectable(addr netip.Addr, mode Mode) bool {
	loopback := addr == netip.IPv6Loopback() || addr == netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return addr.IsUnspecified() || mode == Sidecar && loopback
}

// ErrOnlyProxy is a configuration that wants no packet filter.
var ErrOnlyProxy = errors.New("only a proxy")

// An onlyProxy says what a packet filter would need.
type onlyProxy struct{ error }

// Is reports that it is ErrOnlyProxy.
func (onlyProxy) Is(target error) bool { return target == ErrOnlyProxy }

// listenTargets finds where TCP and DNS go, or says what to change.
func listenTargets(cfg *site.Config, mode Mode) (tcp, dns targets, err error) {
	var errs []error
	find := func(key, what, example string, list []netip.AddrPort) targets {
		t := targetsOf(list, mode)
		switch {
		case len(list) == 0:
			err := fmt.Errorf("%s: [listen] %s is empty, so there is nothing to redirect %s to: set %s = [%q]", cfg.File, key, what, key, example)
			if key == "transparent" {
				err = onlyProxy{err}
			}
			errs = append(errs, err)
		case slices.ContainsFunc(list, func(a netip.AddrPort) bool { return a.Port() == 0 }):
			errs = append(errs, fmt.Errorf("%s:%d: [listen] %s: port 0 is another one at every start: choose a port, like %q", cfg.File, cfg.ListenLine(key), key, example))
		case t == targets{}:
			errs = append(errs, fmt.Errorf("%s:%d: [listen] %s: %v is loopback, and forwarded traffic never gets there: listen on %q or on an address of this host; if sallyport shares a network namespace with the application, use --mode sidecar", cfg.File, cfg.ListenLine(key), key, list[0], example))
		}
		return t
	}
	tcp = find("transparent", "TCP", "[::]:3129", cfg.Listen.Transparent)
	dns = find("dns", "DNS", "[::]:5300", cfg.Listen.DNS)
	return tcp, dns, errors.Join(errs...)
}

// LoopbackListeners finds the listeners of a gateway that no forwarded packet
// can reach. Where every client is on loopback itself there is nothing to
// forward, and a sidecar's packets do come over loopback.
func LoopbackListeners(cfg *site.Config, mode Mode) rules.Problems {
	remote := slices.ContainsFunc(cfg.Clients, func(c *rules.Client) bool {
		return slices.ContainsFunc(c.Sources, func(p netip.Prefix) bool { return !isLoopback(p) })
	})
	if mode == Sidecar || !remote || len(cfg.Listen.Transparent) == 0 {
		return nil
	}
	var out rules.Problems
	report := func(key, example string, a netip.AddrPort) {
		out = append(out, rules.Problem{File: cfg.File, Line: cfg.ListenLine(key), Text: fmt.Sprintf(
			"%s: %v is loopback, where a gateway never sees forwarded traffic: listen on %q or on an address of this host; for a sidecar: check --mode sidecar", key, a, example)})
	}
	for _, a := range cfg.Listen.Transparent {
		if a.Addr().IsLoopback() {
			report("transparent", "[::]:3129", a)
		}
	}
	if dns := cfg.Listen.DNS; len(dns) > 0 && !slices.ContainsFunc(dns, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }) {
		report("dns", "[::]:5300", dns[0])
	}
	return out
}

// isLoopback tells whether every address of p is loopback.
func isLoopback(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() >= 8 && p.Addr().IsLoopback()
	}
	return p.IsSingleIP() && p.Addr().IsLoopback()
}
