// Settings: the types of the daemon's tables.

package site

import (
	"crypto/x509"
	"net/netip"
	"time"

	"sallyport/rules"
)

// Listen has the addresses of the listeners. A listener without an address is off.
type Listen struct {
	HTTP, SOCKS5, DNS, Transparent []netip.AddrPort
	HTTPS                          []netip.AddrPort
	TPROXY                         []netip.AddrPort // for both TCP and UDP
	Admin                          string           // address:port, unix:path, or "": off

	// ProxyProtocolFrom has the balancers: connections from them begin with a header of the PROXY
	// protocol, on every TCP listener but Admin.
	ProxyProtocolFrom []netip.Prefix
}

// DNS has the settings of [dns].
type DNS struct {
	Upstreams   []string       // "system", or what rules.ParseUpstream parses
	Authorities *x509.CertPool // for the certificates of upstreams; nil: those of this host
	DNSSEC      string         // "off", "log" or "require"
	Denied      string         // "nxdomain", "refused" or "nodata"
	Zones       []Zone
}

// A Zone is an internal zone with its own servers.
type Zone struct {
	Suffix    rules.Name
	Upstreams []string
}

// Journal has the settings of [journal].
type Journal struct {
	Path       string // "-": standard output
	Flows      string // "": not recorded
	Required   bool
	MaxSizeMiB int
	MaxAgeDays int
}

// Admin has the settings of [admin].
type Admin struct{ TokenFile, TLSCert, TLSKey string }

// Process has the settings of [process].
type Process struct {
	Hardening string // "required", "best-effort" or "off"
}

// Limits has the settings of [limits]. Most numbers limit what is open at the same time. DNSQPS
// limits the queries per second of one client address that need an upstream.
// WildcardNames limits the different names below wildcards that one client address may
// use in five minutes.
type Limits struct {
	Connections, PerClient, Sniffing, UDPFlows      int
	DNSQPS, DNSTCP, Cache, WildcardNames            int
	Idle, HalfClosed, Sniff, Handshake, Dial, Drain time.Duration
	UDPIdle                                         time.Duration
}
