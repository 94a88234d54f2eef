// Resolver: from a configuration to whom its names are asked of.

package main

import (
	"fmt"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/dnsfilter"
	"sallyport/rules/site"
)

// newResolver makes the resolver of a configuration's generation.
func newResolver(cfg *site.Config, system *systemServers) (*dnsfilter.Resolver, error) {
	c, err := resolverConfig(cfg, system)
	if err != nil {
		return nil, err
	}
	return dnsfilter.NewResolver(c)
}

// resolverConfig says whom the names of a configuration are asked of, and what
// is answered without asking.
func resolverConfig(cfg *site.Config, system *systemServers) (c dnsfilter.ResolverConfig, err error) {
	c.Hosts, c.NAT64, c.Cache = cfg.Hosts, cfg.NAT64, cfg.Limits.Cache
	if c.Denied, err = dnsfilter.ParseDenied(cfg.DNS.Denied); err != nil {
		return c, err
	}
	if c.Upstreams, err = upstreamsOf(cfg, cfg.DNS.Upstreams, system); err != nil {
		return c, err
	}
	for _, z := range cfg.DNS.Zones {
		ups, err := upstreamsOf(cfg, z.Upstreams, system)
		if err != nil {
			return c, err
		}
		c.Zones = append(c.Zones, dnsfilter.Zone{Suffix: z.Suffix, Upstreams: ups})
	}
	return c, nil
}

// upstreamsOf reads upstreams; sallyport itself is none.
func upstreamsOf(cfg *site.Config, texts []string, system *systemServers) (out []dnsfilter.Upstream, err error) {
	own := gateway.OwnAddresses(cfg.Listen, gateway.IsLocal)
	for _, text := range texts {
		var ups []dnsfilter.Upstream
		if text == "system" {
			ups, err = system.upstreams(own.Is)
		} else if ups, err = dnsfilter.ParseUpstreams([]string{text}, ""); err == nil && own.Is(ups[0].Addr) {
			err = fmt.Errorf("%v is sallyport's own DNS listener: it would ask itself", ups[0])
		}
		if err != nil {
			return nil, fmt.Errorf("%s: [dns] upstreams: %w", cfg.File, err)
		}
		out = append(out, ups...)
	}
	return out, nil
}

// dnsLimits bound what clients can make the DNS filter hold.
func dnsLimits(cfg *site.Config) dnsfilter.Limits {
	return dnsfilter.Limits{QPS: cfg.Limits.DNSQPS, TCP: cfg.Limits.DNSTCP, WildcardNames: cfg.Limits.WildcardNames}
}
