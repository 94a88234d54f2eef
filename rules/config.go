// Configuration: one site's choices, read from strict TOML.

package rules

import (
	"crypto/sha256"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Config is one configuration file, checked. Paths in it are absolute or
// relative to the working directory already.
type Config struct {
	File              string
	Audit             bool // mode = "audit"
	StrictDestination bool
	ECHDeny           bool // ech = "deny"
	Listen            Listen
	Clients           []*Client
	Rules             []*Rule // the site's own
	DNS               DNSConfig
	Hosts             map[Name][]netip.Addr
	Private           []netip.Prefix // [resolve] private
	NAT64             []netip.Prefix // [resolve] nat64
	NAT64Discover     bool           // and those that the upstreams tell (RFC 7050)
	Journal           JournalConfig
	Admin             AdminConfig
	Process           ProcessConfig
	Limits            Limits

	profiles []*Profile     // that clients could have named
	digest   [32]byte       // of the text
	lines    map[string]int // of the keys of [listen]
}

// ListenLine returns the line of a key of [listen], for problems that are found
// later; 0: the file has no such key.
func (c *Config) ListenLine(key string) int { return c.lines[key] }

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
	Suffix    Name
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

// ParseConfig reads a configuration. dir is what relative paths in it are
// relative to. profiles are those that the clients can name. The problems
// hold warnings too; with an error among them the Config is nil.
func ParseConfig(file, dir string, data []byte, profiles []*Profile) (*Config, Problems) {
	doc, top := parseTOML(file, data)
	if top == nil {
		return nil, doc.problems
	}
	c := &Config{
		File:              file,
		Audit:             top.choice("mode", "enforce", "audit") == "audit",
		StrictDestination: top.boolean("strict_destination"),
		ECHDeny:           top.choice("ech", "outer", "deny") == "deny",
	}
	c.profiles, c.digest = profiles, sha256.Sum256(data)
	c.readListen(top.sub("listen"))
	for _, t := range top.subs("client") {
		if cl := c.readClient(t, profiles); cl != nil {
			c.Clients = append(c.Clients, cl)
		}
	}
	for _, t := range top.subs("rule") {
		c.Rules = append(c.Rules, c.readSiteRule(t))
	}
	c.warnOfUnion(doc)
	c.readDNS(top.sub("dns"))
	c.readHosts(top.sub("hosts"))
	c.readResolve(top.sub("resolve"))
	c.readJournal(top.sub("journal"), dir)
	c.readAdmin(top, dir)
	c.readProcess(top.sub("process"))
	c.readLimits(top.sub("limits"))
	top.done()
	if len(c.Clients) == 0 {
		doc.warn(0, "no [[client]]: everybody is denied as unknown_client")
	}
	problems := doc.problems.sorted()
	if problems.Err() != nil {
		return nil, problems
	}
	return c, problems
}

func (c *Config) readListen(t *table) {
	c.Listen.HTTP = t.addrPorts("http")
	c.Listen.SOCKS5 = t.addrPorts("socks5")
	c.Listen.DNS = t.addrPorts("dns")
	c.Listen.Transparent = t.addrPorts("transparent")
	c.Listen.Admin = t.str("admin")
	c.lines = map[string]int{}
	for _, key := range t.keys() {
		c.lines[key] = t.line(key)
	}
	if a := c.Listen.Admin; a != "" && !strings.HasPrefix(a, "unix:") {
		if _, err := netip.ParseAddrPort(a); err != nil {
			t.errorf("admin", `%q is neither address:port nor "unix:" and a path`, a)
		}
	}
	c.checkTwice(t)
	t.done()
}

func (c *Config) readDNS(t *table) {
	c.DNS.Upstreams = t.upstreams("upstreams")
	if !t.has("upstreams") {
		c.DNS.Upstreams = []string{"system"}
	} else if len(c.DNS.Upstreams) == 0 {
		t.errorf("upstreams", `is empty: list "system", "udp://address" or "tcp://address"`)
	}
	for _, u := range c.DNS.Upstreams {
		if _, addr, err := ParseUpstream(u); err == nil && (Own{Listeners: c.Listen.DNS}).Is(addr) {
			t.doc.add(t.lineOf("upstreams", u), "upstreams: %s is sallyport's own [listen] dns: it would ask itself", u)
		}
	}
	c.DNS.Denied = t.choice("denied", "nxdomain", "refused", "nodata")
	for _, z := range t.subs("zone") {
		suffix, err := ParseIDN(z.str("suffix"))
		if err != nil {
			z.errorf("suffix", "%v", err)
		} else if managed(suffix) {
			z.errorf("suffix", "%q: under a public suffix anybody can answer look-ups; name the internal domain", suffix)
		}
		ups := z.upstreams("upstreams")
		if z.lacks("upstreams") {
			z.missing("upstreams", `the zone's own servers, like ["udp://10.0.0.53:53"]`)
		}
		if slices.ContainsFunc(c.DNS.Zones, func(o Zone) bool { return o.Suffix == suffix }) {
			z.errorf("suffix", "%q has a [[dns.zone]] already", suffix)
		}
		c.DNS.Zones = append(c.DNS.Zones, Zone{suffix, ups})
		z.done()
	}
	t.done()
}

func (c *Config) readHosts(t *table) {
	c.Hosts = map[Name][]netip.Addr{}
	for _, key := range t.keys() {
		n, err := ParseIDN(key)
		if err != nil {
			t.errorf(key, "%v", err)
		}
		var list []string
		if s, ok := t.m[key].(string); ok {
			t.used[key] = true
			list = []string{s}
		} else {
			list = t.strs(key)
		}
		for _, s := range list {
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				t.errorf(key, "%q is not an address", s)
				continue
			}
			c.Hosts[n] = append(c.Hosts[n], a.Unmap())
		}
	}
	t.done()
}

func (c *Config) readResolve(t *table) {
	c.Private = t.prefixes("private")
	listed := t.strs("nat64")
	c.NAT64Discover = slices.Contains(listed, DiscoverNAT64)
	c.NAT64 = t.prefixesOf("nat64", slices.DeleteFunc(listed, func(s string) bool { return s == DiscoverNAT64 }))
	for _, p := range c.NAT64 {
		if err := checkNAT64(p); err != nil {
			t.errorf("nat64", "%v", err)
		}
	}
	for _, p := range c.Private {
		if !special(p) {
			t.doc.warn(t.lineOf("private", p.String()), "private: %v has public addresses in it: names that resolve there are reached anyway, and all of it loses the protection against private answers", p)
		}
	}
	t.done()
}

func (c *Config) readJournal(t *table, dir string) {
	c.Journal = JournalConfig{
		Path: "denials.jsonl", Flows: t.str("flows"), Required: t.boolean("required"),
		MaxSizeMiB: t.integer("max_size_mib", 100, 1, 1<<20),
		MaxAgeDays: t.integer("max_age_days", 90, 1, 36500),
	}
	if t.has("path") {
		c.Journal.Path = t.str("path")
		if c.Journal.Path == "" {
			t.errorf("path", `is empty: name a file, or "-" for standard output`)
		}
	}
	c.Journal.Path = under(dir, c.Journal.Path)
	c.Journal.Flows = under(dir, c.Journal.Flows)
	if c.Journal.Flows == c.Journal.Path && c.Journal.Path != "-" && c.Journal.Path != "" {
		t.errorf("flows", "must be another file than path: decisions and flows rotate on their own")
	}
	t.done()
}

// readAdmin reads [admin] and holds it against [listen] admin: off loopback
// the page and the metrics are open to a network, so a token and TLS are due.
func (c *Config) readAdmin(top *table, dir string) {
	t := top.sub("admin")
	c.Admin = AdminConfig{TokenFile: under(dir, t.str("token_file")), TLSCert: under(dir, t.str("tls_cert")), TLSKey: under(dir, t.str("tls_key"))}
	t.done()
	if (c.Admin.TLSCert == "") != (c.Admin.TLSKey == "") {
		t.doc.add(t.line(""), "admin: tls_cert and tls_key go together")
	}
	a, err := netip.ParseAddrPort(c.Listen.Admin)
	if path, ok := strings.CutPrefix(c.Listen.Admin, "unix:"); ok {
		c.Listen.Admin = "unix:" + under(dir, path)
	} else if err == nil && !a.Addr().Unmap().IsLoopback() && (c.Admin.TokenFile == "" || c.Admin.TLSCert == "") {
		line := top.sub("listen").line("admin")
		t.doc.add(line, "admin: %v is not loopback: set [admin] token_file, tls_cert and tls_key, or listen on 127.0.0.1 or unix:path", a)
	}
}

func (c *Config) readProcess(t *table) {
	c.Process = ProcessConfig{Hardening: t.choice("hardening", "required", "best-effort", "off")}
	t.done()
}

func (c *Config) readLimits(t *table) {
	c.Limits = Limits{
		Connections: t.integer("connections", 16384, 1, 1<<20), PerClient: t.integer("per_client", 4096, 1, 1<<20),
		Sniffing: t.integer("sniffing", 4096, 1, 1<<20), UDPFlows: t.integer("udp_flows", 4096, 1, 1<<20),
		DNSQPS: t.integer("dns_qps", 1000, 1, 1<<24), DNSTCP: t.integer("dns_tcp", 256, 1, 1<<20), Cache: t.integer("cache", 10000, 16, 1<<24),
		WildcardNames: t.integer("wildcard_names", 500, 1, 1<<20),
		Idle:          t.duration("idle", 10*time.Minute, time.Second), HalfClosed: t.duration("half_closed", time.Minute, time.Second),
		Sniff: t.duration("sniff", 5*time.Second, 100*time.Millisecond), Handshake: t.duration("handshake", 10*time.Second, 100*time.Millisecond),
		Dial: t.duration("dial", 10*time.Second, 100*time.Millisecond), Drain: t.duration("drain", 20*time.Second, 0),
	}
	t.done()
}

// under makes a relative path relative to dir; "" and "-" stay.
func under(dir, path string) string {
	if path == "" || path == "-" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
