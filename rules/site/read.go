// The daemon's tables: how they are read, and their defaults.

package site

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

func (c *Config) readListen(t *tomldoc.Table) {
	c.Listen.HTTP = addrPorts(t, "http")
	c.Listen.HTTPS = addrPorts(t, "https")
	c.Listen.SOCKS5 = addrPorts(t, "socks5")
	c.Listen.DNS = addrPorts(t, "dns")
	c.Listen.Transparent = addrPorts(t, "transparent")
	c.Listen.TPROXY = addrPorts(t, "tproxy")
	if len(c.Listen.Transparent) > 0 && len(c.Listen.TPROXY) > 0 {
		t.Doc.Warnf(t.Line("tproxy"), "tproxy and transparent are both listed, but a packet filter uses one of them: without --tproxy, sallyport nft redirects to transparent; remove the key that this site does not use")
	}
	c.Listen.Admin = t.Str("admin")
	c.Listen.ProxyProtocolFrom = prefixes(t, "proxy_protocol_from")
	checkBalancers(t, c.Listen.ProxyProtocolFrom)
	c.lines = map[string]int{}
	for _, key := range t.Keys() {
		c.lines[key] = t.Line(key)
	}
	if a := c.Listen.Admin; a != "" && !strings.HasPrefix(a, "unix:") {
		if _, err := netip.ParseAddrPort(a); err != nil {
			t.Errorf("admin", `%q is neither address:port nor "unix:" and a path`, a)
		}
	}
	c.checkTwice(t)
	t.MarkRead(secureKeys[:]...) // see readSecure
	t.Done()
}

func (c *Config) readHosts(t *tomldoc.Table) {
	c.Hosts = map[rules.Name][]netip.Addr{}
	for _, key := range t.Keys() {
		n, err := rules.ParseIDN(key)
		if err != nil {
			t.Errorf(key, "%v%s", err, alone(key))
		}
		c.lines[hostsKey(n)] = t.Line(key)
		var list []string
		value, _ := t.Raw(key)
		if s, ok := value.(string); ok {
			list = []string{s}
		} else {
			list = t.Strs(key)
		}
		for _, s := range list {
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				t.Errorf(key, "%q is not an address", s)
				continue
			}
			c.Hosts[n] = append(c.Hosts[n], a.Unmap())
		}
	}
	t.Done()
}

func (c *Config) readResolve(t *tomldoc.Table) {
	c.Private = prefixes(t, "private")
	listed := t.Strs("nat64")
	c.NAT64Discover = slices.Contains(listed, rules.DiscoverNAT64)
	c.NAT64 = prefixesOf(t, "nat64", slices.DeleteFunc(listed, func(s string) bool { return s == rules.DiscoverNAT64 }))
	for _, p := range c.NAT64 {
		if err := rules.CheckNAT64(p); err != nil {
			t.Errorf("nat64", "%v", err)
		}
	}
	for _, p := range c.Private {
		if !rules.SpecialPrefix(p) {
			t.Doc.Warnf(t.LineOf("private", p.String()), "private: %v contains public addresses, to which permitted names may resolve without this entry; with this entry, the whole prefix has no protection against private answers", p)
		}
	}
	t.Done()
}

func (c *Config) readJournal(t *tomldoc.Table, dir string) {
	c.Journal = Journal{
		Path: "denials.jsonl", Flows: t.Str("flows"), Required: t.Bool("required"),
		MaxSizeMiB: t.Int("max_size_mib", 100, 1, 1<<20),
		MaxAgeDays: t.Int("max_age_days", 90, 1, 36500),
	}
	if t.Has("path") {
		c.Journal.Path = t.Str("path")
		if c.Journal.Path == "" {
			t.Errorf("path", `is empty: name a file, or "-" for standard output`)
		}
	}
	c.Journal.Path = under(dir, c.Journal.Path)
	c.Journal.Flows = under(dir, c.Journal.Flows)
	if c.Journal.Flows == c.Journal.Path && c.Journal.Path != "-" && c.Journal.Path != "" {
		t.Errorf("flows", "must be another file than path: the two files rotate separately")
	}
	t.Done()
}

// readAdmin reads [admin] and compares it with [listen] admin. Beyond loopback a network can
// reach the page and the metrics, so a token and TLS are required.
func (c *Config) readAdmin(top *tomldoc.Table, dir string) {
	t := top.Sub("admin")
	c.Admin = Admin{TokenFile: under(dir, t.Str("token_file")), TLSCert: under(dir, t.Str("tls_cert")), TLSKey: under(dir, t.Str("tls_key"))}
	for _, in := range []Input{
		{Key: "token_file", Path: c.Admin.TokenFile, Secret: true}, {Key: "tls_key", Path: c.Admin.TLSKey, Secret: true}, {Key: "tls_cert", Path: c.Admin.TLSCert},
	} {
		if in.Path != "" {
			in.Line, in.Key = t.Line(in.Key), "[admin] "+in.Key
			c.Inputs = append(c.Inputs, in)
		}
	}
	t.Done()
	if (c.Admin.TLSCert == "") != (c.Admin.TLSKey == "") {
		t.Doc.Errorf(t.Line(""), "admin: set both tls_cert and tls_key, or neither")
	}
	a, err := netip.ParseAddrPort(c.Listen.Admin)
	if path, ok := strings.CutPrefix(c.Listen.Admin, "unix:"); ok {
		c.Listen.Admin = "unix:" + under(dir, path)
	} else if err == nil && !a.Addr().Unmap().IsLoopback() && (c.Admin.TokenFile == "" || c.Admin.TLSCert == "") {
		line := top.Sub("listen").Line("admin")
		t.Doc.Errorf(line, "admin: %v is not loopback: set [admin] token_file, tls_cert and tls_key, or listen on 127.0.0.1 or unix:path", a)
	}
}

func (c *Config) readProcess(t *tomldoc.Table) {
	c.Process = Process{Hardening: t.Choice("hardening", "required", "best-effort", "off")}
	t.Done()
}

func (c *Config) readLimits(t *tomldoc.Table) {
	c.Limits = Limits{
		Connections: t.Int("connections", 16384, 1, 1<<20), PerClient: t.Int("per_client", 4096, 1, 1<<20),
		Sniffing: t.Int("sniffing", 4096, 1, 1<<20), UDPFlows: t.Int("udp_flows", 1024, 1, 1<<20),
		DNSQPS: t.Int("dns_qps", 1000, 1, 1<<24), DNSTCP: t.Int("dns_tcp", 256, 1, 1<<20), Cache: t.Int("cache", 10000, 16, 1<<24),
		WildcardNames: t.Int("wildcard_names", 500, 1, 1<<20),
		Idle:          t.Duration("idle", 10*time.Minute, time.Second), HalfClosed: t.Duration("half_closed", time.Minute, time.Second),
		Sniff: t.Duration("sniff", 5*time.Second, 100*time.Millisecond), Handshake: t.Duration("handshake", 10*time.Second, 100*time.Millisecond),
		UDPIdle: t.Duration("udp_idle", 2*time.Minute, time.Second),
		Dial:    t.Duration("dial", 10*time.Second, 100*time.Millisecond), Drain: t.Duration("drain", 20*time.Second, 0),
	}
	t.Done()
}

// under joins dir and a relative path. It returns "" and "-" as they are.
func under(dir, path string) string {
	if path == "" || path == "-" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
