// Options: the operator's settings beside the configuration.

package nftables

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"sallyport/rules/site"
)

// Mode is the place of a packet filter.
type Mode string

// The modes of a packet filter.
const (
	Gateway Mode = "gateway" // a host that routes for clients: it forwards their packets
	Sidecar Mode = "sidecar" // a network namespace shared with the application: packets are local output
)

// Options hold the settings that are not in the configuration.
type Options struct {
	Mode           Mode
	User           string             // sidecar: the user that sallyport runs as
	Local          []netip.Prefix     // prefixes of the site that the filter passes unchecked
	TPROXY         bool               // gateway: TPROXY instead of REDIRECT, also if there are listeners for both
	Masquerade     bool               // gateway: forwarded datagrams get the gateway's address
	DHCP           bool               // sidecar: DHCP clients may send on the link
	Neighbours     []Neighbour        // gateway: link-layer addresses of clients
	NeighbourTable bool               // gateway: also use the addresses in the kernel's neighbour table
	Interfaces     []InterfaceBinding // gateway: interfaces of clients
}

// An OptionError reports an option that is wrong or that excludes another
// option.
type OptionError struct{ text string }

// Error returns the message.
func (e *OptionError) Error() string { return e.text }

func optionError(format string, args ...any) error {
	return &OptionError{fmt.Sprintf(format, args...)}
}

// userPattern matches what may follow skuid in nft: a number, or a user name that useradd accepts.
var userPattern = regexp.MustCompile(`^([0-9]{1,10}|[a-z_][a-z0-9_-]{0,31})$`)

// check reports a wrong user name and options that exclude each other.
func (o Options) check() error {
	switch {
	case !userPattern.MatchString(o.User):
		return optionError("--user %q is neither a user name nor a number", o.User)
	case o.Mode == Gateway && o.DHCP || o.Mode == Sidecar && o.Masquerade:
		return optionError("--dhcp is for --mode sidecar, --masquerade for --mode gateway")
	case o.Mode == Sidecar && o.TPROXY:
		return optionError("--tproxy is for --mode gateway: TPROXY takes only packets that other hosts send")
	case o.Mode == Sidecar && (o.NeighbourTable || len(o.Neighbours)+len(o.Interfaces) > 0):
		return optionError("--neighbour and --interface are for --mode gateway")
	}
	return nil
}

// ParseMode parses the value of --mode.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Gateway, Sidecar:
		return m, nil
	}
	return "", optionError("--mode %q is neither gateway nor sidecar", s)
}

// ParsePrefixes parses the values of a flag: addresses, and prefixes without
// host bits.
func ParsePrefixes(flag string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return nil, optionError("%s %q is not an address or a prefix like 10.20.0.0/16", flag, s)
		}
		if bits := site.UsualLength(p.Addr()); bits > 0 && !strings.Contains(s, "/") {
			return nil, optionError("%s %s is one address that looks like a network: write %s/%d, or the right prefix length, for the network; write %s/%d for this address alone", flag, s, s, bits, s, p.Bits())
		}
		out = append(out, p)
	}
	return out, nil
}
