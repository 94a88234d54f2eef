// Listeners: chooses the listeners that the packet filter redirects traffic to.

package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sallyport/rules"
	"sallyport/rules/site"
)

// targets are nft statements, one per family. "" means that no listener can
// receive this family's packets; the filter then drops them.
type targets struct{ V4, V6 string }

// targetsOf chooses the listener for each family. REDIRECT rewrites the
// destination to an address of the incoming interface, or to loopback for local
// packets. So a listener on a single address needs DNAT instead.
func targetsOf(list []netip.AddrPort, mode Mode) targets {
	var t targets
	for _, v6 := range []bool{false, true} {
		fits := slices.DeleteFunc(slices.Clone(list), func(a netip.AddrPort) bool { return !receives(a.Addr(), v6, mode) })
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

// receives reports whether a listener on addr can receive redirected packets of a
// family. [::] receives both families.
func receives(addr netip.Addr, v6 bool, mode Mode) bool {
	switch {
	case addr.IsLoopback() && mode == Gateway: // forwarded packets never reach loopback
		return false
	case addr == netip.IPv6Unspecified():
		return true
	}
	return addr.Is6() == v6
}

// redirectable reports whether REDIRECT reaches a listener on addr.
func redirectable(addr netip.Addr, mode Mode) bool {
	loopback := addr == netip.IPv6Loopback() || addr == netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return addr.IsUnspecified() || mode == Sidecar && loopback
}

// ErrNoTransparentListener reports a configuration without a listener for
// redirected connections: such a proxy needs no packet filter.
var ErrNoTransparentListener = errors.New("no transparent listener")

// A noTransparentListener is an error that explains what is missing.
type noTransparentListener struct{ error }

// Is reports whether target is ErrNoTransparentListener.
func (noTransparentListener) Is(target error) bool { return target == ErrNoTransparentListener }

// listenTargets returns the targets of TCP and DNS. Its error says what to change.
func listenTargets(cfg *site.Config, o Options) (tcp, dns targets, err error) {
	var errs []error
	find := func(key, what, example string, list []netip.AddrPort, t targets) targets {
		switch {
		case len(list) == 0:
			err := fmt.Errorf("%s: [listen] %s is empty, so there is nothing to redirect %s to: set %s = [%q]", cfg.File, key, what, key, example)
			if key != "dns" && !cfg.Listen.Redirected() {
				err = noTransparentListener{err}
			}
			errs = append(errs, err)
		case slices.ContainsFunc(list, func(a netip.AddrPort) bool { return a.Port() == 0 }):
			errs = append(errs, fmt.Errorf("%s:%d: [listen] %s: port 0 means another port at every start: choose a port, like %q", cfg.File, cfg.ListenLine(key), key, example))
		case t == targets{}:
			errs = append(errs, fmt.Errorf("%s:%d: [listen] %s: %v is loopback, and forwarded traffic never reaches loopback: listen on %q or on an address of this host; if sallyport shares a network namespace with the application, use --mode sidecar", cfg.File, cfg.ListenLine(key), key, list[0], example))
		}
		return t
	}
	if l := cfg.Listen; diverts(cfg, o) {
		tcp = find("tproxy", "TCP", "[::]:3130", l.TPROXY, tproxyTargets(l.TPROXY))
	} else {
		tcp = find("transparent", "TCP", "[::]:3129", l.Transparent, targetsOf(l.Transparent, o.Mode))
	}
	dns = find("dns", "DNS", "[::]:5300", cfg.Listen.DNS, targetsOf(cfg.Listen.DNS, o.Mode))
	return tcp, dns, errors.Join(errs...)
}

// LoopbackListeners reports the listeners of a gateway that no forwarded packet
// can reach. It reports nothing for a sidecar, whose packets come over loopback,
// and nothing if all clients are on loopback themselves.
func LoopbackListeners(cfg *site.Config, mode Mode) rules.Problems {
	remote := slices.ContainsFunc(cfg.Clients, func(c *rules.Client) bool {
		return slices.ContainsFunc(c.Sources, func(p netip.Prefix) bool { return !isLoopback(p) })
	})
	if mode == Sidecar || !remote || !cfg.Listen.Redirected() {
		return nil
	}
	var out rules.Problems
	report := func(key, example string, a netip.AddrPort) {
		out = append(out, rules.Problem{File: cfg.File, Line: cfg.ListenLine(key), Text: fmt.Sprintf(
			"%s: %v is loopback, and a gateway never receives forwarded traffic there: listen on %q or on an address of this host; for a sidecar: check --mode sidecar", key, a, example)})
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

// isLoopback reports whether every address of p is loopback.
func isLoopback(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() >= 8 && p.Addr().IsLoopback()
	}
	return p.IsSingleIP() && p.Addr().IsLoopback()
}
