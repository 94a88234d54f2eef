package gateway

import (
	"fmt"
	"testing"
)

// [limits] udp_flows is the number of queries that may wait for an upstream. A
// reload changes it.
func TestUDPFlowsBoundWaitingQueries(t *testing.T) {
	g, _, write := readyGateway(t)
	for _, flows := range []int{4, 8} {
		write(readySite + fmt.Sprintf("[limits]\nudp_flows = %d\n", flows))
		g.Reload("test")
		resolver, err := resolverConfig(g.cfg, g.system)
		if filter := dnsLimits(g.cfg); err != nil || resolver.InFlight != flows || filter.InFlight != flows {
			t.Errorf("udp_flows = %d: %d and %d queries may wait, %v", flows, resolver.InFlight, filter.InFlight, err)
		}
	}
}
