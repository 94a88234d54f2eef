// Settings: the types of the daemon's tables.

package site

import (
	"net/netip"
	"time"

	"sallyport/rules"
)

// Listen says where sallyport listens; what is not listed is off.
type Listen struct {
	HTTP, SOCKS5, DNS, Transparent []netip.AddrPort
	Admin                          string // address:port, unix:path, or "": off
}

// DNSConfig is the [dns] table.
type DNSConfig struct {
	Upstreams []string // "system", "udp://address[:port]" or "tcp://…"
	Denied    string   // "nxdomain", "refused" or "nodata"
	Zones     []Zone
}

// A Zone is an internal zone, answered from its own servers.
type Zone struct {
	Suffix    rules.Name
	Upstreams []string
}

// JournalConfig is the [journal] table.
type JournalConfig struct {
	Path       string // "-": standard output
	Flows      string // "": not recorded
	Required   bool
	MaxSizeMiB int
	MaxAgeDays int
}

// AdminConfig is the [admin] table.
type AdminConfig struct{ TokenFile, TLSCert, TLSKey string }

// ProcessConfig is the [process] table.
type ProcessConfig struct {
	Hardening string // "required", "best-effort" or "off"
}

// Limits is the [limits] table. Counts are of things open at once, DNSQPS is
// queries a second from one client address that need an upstream, WildcardNames
// is different names below wildcards that one may use in five minutes.
type Limits struct {
	Connections, PerClient, Sniffing, UDPFlows      int
	DNSQPS, DNSTCP, Cache, WildcardNames            int
	Idle, HalfClosed, Sniff, Handshake, Dial, Drain time.Duration
}
