// Resolver: from a configuration to whom its names are asked of.

package main

import (
	"fmt"

	"sallyport/dnsfilter"
	"sallyport/rules"
)

// resolvConf is where upstream "system" finds its servers.
const resolvConf = "/etc/resolv.conf"

// newResolver makes the resolver of a configuration's generation.
func newResolver(cfg *rules.Config) (*dnsfilter.Resolver, error) {
	c, err := resolverConfig(cfg)
	if err != nil {
		return nil, err
	}
	return dnsfilter.NewResolver(c)
}

// resolverConfig says whom the names of a configuration are asked of, and what
// is answered without asking.
func resolverConfig(cfg *rules.Config) (c dnsfilter.ResolverConfig, err error) {
	c.Hosts, c.NAT64, c.Cache = cfg.Hosts, cfg.NAT64, cfg.Limits.Cache
	if c.Denied, err = dnsfilter.ParseDenied(cfg.DNS.Denied); err != nil {
		return c, err
	}
	if c.Upstreams, err = upstreamsOf(cfg, cfg.DNS.Upstreams); err != nil {
		return c, err
	}
	for _, z := range cfg.DNS.Zones {
		ups, err := upstreamsOf(cfg, z.Upstreams)
		if err != nil {
			return c, err
		}
		c.Zones = append(c.Zones, dnsfilter.Zone{Suffix: z.Suffix, Upstreams: ups})
	}
	return c, nil
}

// upstreamsOf reads upstreams; sallyport itself is none.
func upstreamsOf(cfg *rules.Config, texts []string) ([]dnsfilter.Upstream, error) {
	ups, err := dnsfilter.ParseUpstreams(texts, resolvConf)
	if err != nil {
		return nil, fmt.Errorf("%s: [dns] upstreams: %w", cfg.File, err)
	}
	own := ownAddresses(cfg.Listen, isLocal)
	for _, u := range ups {
		if own.Is(u.Addr) {
			return nil, fmt.Errorf("%s: [dns] upstreams: %v is sallyport's own DNS listener: it would ask itself", cfg.File, u)
		}
	}
	return ups, nil
}

// dnsLimits bound what clients can make the DNS filter hold.
func dnsLimits(cfg *rules.Config) dnsfilter.Limits {
	return dnsfilter.Limits{QPS: cfg.Limits.DNSQPS, TCP: cfg.Limits.DNSTCP, WildcardNames: cfg.Limits.WildcardNames}
}
