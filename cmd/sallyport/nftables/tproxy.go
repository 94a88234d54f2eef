// TPROXY: gives packets to sallyport's sockets with their addresses unchanged, and
// prints the routes that this needs.

package nftables

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"

	"sallyport/rules"
	"sallyport/rules/site"
)

// The mark and the table by which marked packets stay on this host. The rule has
// a low number so that no rule of the site catches these packets first.
const (
	divertedMark  = uint32(0x10000000) // of a packet, not of a connection; the other bits belong to other programs
	divertedTable = 21359
	divertedRule  = 10
)

// diverts reports whether the filter uses TPROXY: it was asked to, or there is no
// listener for REDIRECT.
func diverts(cfg *site.Config, o Options) bool {
	return o.TPROXY || len(cfg.Listen.Transparent) == 0 && len(cfg.Listen.TPROXY) > 0 && o.Mode == Gateway
}

// tproxyTargets chooses the listener for each family. TPROXY does not change the
// destination, so it also reaches a listener on loopback. [::] receives both
// families.
func tproxyTargets(list []netip.AddrPort) (t targets) {
	for _, a := range list {
		to := a.String()
		if a.Addr().IsUnspecified() {
			to = fmt.Sprintf(":%d", a.Port())
		}
		if t.V4 == "" && receives(a.Addr(), false, Sidecar) {
			t.V4 = "tproxy ip to " + to
		}
		if t.V6 == "" && receives(a.Addr(), true, Sidecar) {
			t.V6 = "tproxy ip6 to " + to
		}
	}
	return t
}

// TPROXYListeners reports the listeners of TPROXY in a sidecar: TPROXY takes the
// packets that arrive at a host, and not the packets that its own programs send.
func TPROXYListeners(cfg *site.Config, mode Mode) rules.Problems {
	if mode != Sidecar || len(cfg.Listen.TPROXY) == 0 {
		return nil
	}
	return rules.Problems{{File: cfg.File, Line: cfg.ListenLine("tproxy"), Text: sidecarTPROXY}}
}

const sidecarTPROXY = `tproxy: TPROXY takes only packets that other hosts send, and the application of a sidecar is on the same host: use transparent = ["127.0.0.1:3129", "[::1]:3129"]`

// Routes returns the commands that keep marked packets on this host, each once, in
// an order that never leaves a rule without its route. A command that ran before
// changes nothing. systemd-networkd removes the rules and routes that it did not make,
// except those of protocol kernel. Without TPROXY there are no commands.
func (p *Plan) Routes() (lines []string) {
	if !p.TPROXY {
		return nil
	}
	for _, f := range []struct {
		family, all, target string
		sources             []string
	}{{"-4", "0.0.0.0/0", p.TCP.V4, p.Sources4}, {"-6", "::/0", p.TCP.V6, p.Sources6}} {
		if f.target == "" || len(f.sources) == 0 {
			continue
		}
		lookup := fmt.Sprintf("fwmark %s/%s lookup %d", p.PacketMark, p.PacketMark, divertedTable)
		lines = append(lines,
			fmt.Sprintf("ip %s route replace local %s dev lo table %d protocol kernel", f.family, f.all, divertedTable),
			fmt.Sprintf("ip %s rule show | grep -q '%s' || ip %s rule add priority %d %s protocol kernel", f.family, lookup, f.family, divertedRule, lookup))
	}
	return lines
}

// RenderRoutes writes the commands for a shell. Without TPROXY it writes only a
// comment.
func (p *Plan) RenderRoutes(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Routes for TPROXY. Computed by \"sallyport nft --routes\" from %s, revision %s\n", p.File, p.Revision)
	if lines := p.Routes(); len(lines) == 0 {
		fmt.Fprintln(&b, "# This configuration uses REDIRECT, which needs no routes.")
	} else {
		fmt.Fprintln(&b, "set -e")
		for _, l := range lines {
			fmt.Fprintln(&b, l)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
