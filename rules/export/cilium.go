// Cilium: a CiliumNetworkPolicy (cilium.io/v2).

package export

import (
	"strconv"

	"sallyport/rules"
)

// mostPorts is the number of ports that Cilium accepts in one entry of toPorts.
const mostPorts = 40

// writeCilium writes the policy. Cilium learns the addresses of a name from the look-ups
// that its DNS proxy permits, so the policy permits these as well.
func writeCilium(s *sheet) {
	t := tag(s.p.Name)
	s.wider(nil, "Cilium enforces the addresses that a permitted name had in a look-up: another name at the same address is permitted too")
	s.linef("apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: sallyport-%s\nspec:", t)
	s.linef("  # give this label to the pods of the product")
	s.linef("  endpointSelector:\n    matchLabels:\n      sallyport-client: %s\n  egress:", t)
	s.ciliumLookUps()
	written := false
	for i := range s.p.Rules {
		g := &s.p.Rules[i]
		if exact, below := names(g); len(exact)+len(below) > 0 {
			s.source("  ", g)
			s.linef("  - toFQDNs:")
			s.fqdns("    ", exact, below)
			s.toPorts(g)
			written = true
			if len(below) > 0 {
				s.left(g, `names two or more levels below a wildcard, if Cilium is older than 1.19, which reads "**." as "*."`)
			}
		}
		if to := g.Prefixes; len(to) > 0 {
			s.source("  ", g)
			s.linef("  - toCIDR:")
			for _, p := range to {
				s.linef("    - %q", p)
			}
			s.toPorts(g)
			written = true
		}
	}
	if !written {
		s.linef("  - {} # permits nothing")
	}
}

// ciliumLookUps permits the look-ups of the names, at the cluster's resolver.
func (s *sheet) ciliumLookUps() {
	seen := map[rules.Destination]bool{}
	var exact, below []rules.Name
	add := func(d rules.Destination) {
		if seen[d] {
			return
		}
		seen[d] = true
		if d.Wildcard {
			below = append(below, d.Name)
		} else {
			exact = append(exact, d.Name)
		}
	}
	for i := range s.p.Rules {
		for _, d := range s.p.Rules[i].Names {
			add(d)
		}
	}
	for _, z := range s.p.Zones {
		add(rules.Destination{Name: z})
		add(rules.Destination{Name: z, Wildcard: true})
	}
	if len(exact)+len(below) == 0 {
		return
	}
	s.linef("  - toEndpoints:\n    - matchLabels:")
	s.linef("        k8s:io.kubernetes.pod.namespace: kube-system\n        k8s:k8s-app: kube-dns")
	s.linef("    toPorts:\n    - ports:\n      - port: \"53\"\n        protocol: ANY\n      rules:\n        dns:")
	s.fqdns("        ", exact, below)
}

// fqdns writes selectors of names. "**." stands for one level or more, and not for none.
func (s *sheet) fqdns(indent string, exact, below []rules.Name) {
	for _, n := range exact {
		s.linef("%s- matchName: %q", indent, n)
	}
	for _, n := range below {
		s.linef("%s- matchPattern: \"**.%s\"", indent, n)
	}
}

// toPorts writes the ports of a rule. Without toPorts every protocol and port is permitted.
func (s *sheet) toPorts(g *rules.Grant) {
	if g.Rule.Any {
		return
	}
	s.linef("    toPorts:")
	count := 0
	for _, l4 := range []struct {
		name  string
		ports rules.Ports
	}{{"TCP", g.TCP}, {"UDP", g.UDP}} {
		for _, r := range l4.ports {
			if count%mostPorts == 0 {
				s.linef("    - ports:")
			}
			count++
			s.linef("      - port: \"%d\"", r.First)
			if r.Last != r.First {
				s.linef("        endPort: %s", strconv.Itoa(int(r.Last)))
				s.left(g, "ranges of ports, if Cilium is older than 1.16, which does not know endPort")
			}
			s.linef("        protocol: %s", l4.name)
		}
	}
}
