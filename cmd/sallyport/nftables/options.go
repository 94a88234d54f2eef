// Options: what a packet filter needs to know beside the configuration.

package nftables

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"sallyport/rules/site"
)

// Mode is where a packet filter stands.
type Mode string

// The modes.
const (
	Gateway Mode = "gateway" // routes for clients: packets are forwarded
	Sidecar Mode = "sidecar" // shares a network namespace with the application: packets are its output
)

// Options are what the configuration does not say.
type Options struct {
	Mode           Mode
	User           string         // sidecar: whose traffic is sallyport's own
	Local          []netip.Prefix // routed without being looked at
	Masquerade     bool
	DHCP           bool
	Neighbours     []Neighbour        // gateway: whose packets have which link-layer address
	NeighbourTable bool               // and those of the kernel's neighbour table
	Interfaces     []InterfaceBinding // gateway: whose packets come by which interface
}

// An OptionError says which option makes no sense.
type OptionError struct{ text string }

// Error returns the text.
func (e *OptionError) Error() string { return e.text }

func optionError(format string, args ...any) error {
	return &OptionError{fmt.Sprintf(format, args...)}
}

// userPattern is what may follow skuid: a number, or a name as useradd makes it.
var userPattern = regexp.MustCompile(`^([0-9]{1,10}|[a-z_][a-z0-9_-]{0,31})$`)

// check finds options that exclude each other.
func (o Options) check() error {
	switch {
	case !userPattern.MatchString(o.User):
		return optionError("--user %q is neither a user name nor a number", o.User)
	case o.Mode == Gateway && o.DHCP || o.Mode == Sidecar && o.Masquerade:
		return optionError("--dhcp is for --mode sidecar, --masquerade for --mode gateway")
	case o.Mode == Sidecar && (o.NeighbourTable || len(o.Neighbours)+len(o.Interfaces) > 0):
		return optionError("--neighbour and --interface are for --mode gateway")
	}
	return nil
}

// ParseMode reads the value of --mode.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Gateway, Sidecar:
		return m, nil
	}
	return "", optionError("--mode %q is neither gateway nor sidecar", s)
}

// ParsePrefixes reads the values of a flag: addresses, and prefixes without
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
			return nil, optionError("%s %s is one address, and ends like that of a network: say %s/%d, or whatever its prefix length is; %s/%d is this address alone", flag, s, s, bits, s, p.Bits())
		}
		out = append(out, p)
	}
	return out, nil
}
