// Resolver: makes the resolver of a configuration.

package gateway

import (
	"fmt"

	"sallyport/dnsfilter"
	"sallyport/rules"
	"sallyport/rules/site"
)

// newResolver returns the resolver for the generation of a configuration.
func newResolver(cfg *site.Config, system *systemServers) (*dnsfilter.Resolver, error) {
	c, err := resolverConfig(cfg, system)
	if err != nil {
		return nil, err
	}
	return dnsfilter.NewResolver(c)
}

// resolverConfig returns the upstreams of a configuration and its fixed answers.
func resolverConfig(cfg *site.Config, system *systemServers) (c dnsfilter.ResolverConfig, err error) {
	c.Alone = len(cfg.DNS.Upstreams) == 0 // which package site permits only beside parents that resolve names
	c.Hosts, c.NAT64, c.Cache, c.InFlight = cfg.Hosts, cfg.NAT64, cfg.Limits.Cache, cfg.Limits.UDPFlows
	if c.DNSSEC, err = dnsfilter.ParseDNSSEC(cfg.DNS.DNSSEC); err != nil {
		return c, err
	}
	if c.Roots, err = authoritiesOf(cfg); err != nil {
		return c, err
	}
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

// upstreamsOf parses upstreams. sallyport itself cannot be an upstream.
func upstreamsOf(cfg *site.Config, texts []string, system *systemServers) (out []rules.Upstream, err error) {
	own := ownOf(cfg.Listen)
	for _, text := range texts {
		var ups []rules.Upstream
		if text == "system" {
			ups, err = system.upstreams(own.Is)
		} else if ups, err = dnsfilter.ParseUpstreams([]string{text}, ""); err == nil && own.Is(ups[0].Addr) {
			err = fmt.Errorf("%v is sallyport's own DNS listener: sallyport would ask itself", ups[0])
		}
		if err != nil {
			return nil, fmt.Errorf("%s: [dns] upstreams: %w", cfg.File, err)
		}
		out = append(out, ups...)
	}
	return out, nil
}

// dnsLimits returns the limits of the DNS filter.
func dnsLimits(cfg *site.Config) dnsfilter.Limits {
	l := cfg.Limits
	return dnsfilter.Limits{QPS: l.DNSQPS, TCP: l.DNSTCP, WildcardNames: l.WildcardNames, InFlight: l.UDPFlows}
}
