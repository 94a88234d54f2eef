// Cilium: the policy has only fields of the resource's schema, and permits what the rules
// permit.

package export

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A networkPolicy has the fields of CiliumNetworkPolicy (cilium.io/v2) that an export may
// use, as the schema of the resource names them.
type networkPolicy struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		EndpointSelector selector     `yaml:"endpointSelector"`
		Egress           []egressRule `yaml:"egress"`
	} `yaml:"spec"`
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type egressRule struct {
	ToEndpoints []selector `yaml:"toEndpoints"`
	ToFQDNs     []fqdn     `yaml:"toFQDNs"`
	ToCIDR      []string   `yaml:"toCIDR"`
	ToPorts     []struct {
		Ports []struct {
			Port     string `yaml:"port"`
			EndPort  int    `yaml:"endPort"`
			Protocol string `yaml:"protocol"`
		} `yaml:"ports"`
		Rules *struct {
			DNS []fqdn `yaml:"dns"`
		} `yaml:"rules"`
	} `yaml:"toPorts"`
}

type fqdn struct {
	MatchName    string `yaml:"matchName"`
	MatchPattern string `yaml:"matchPattern"`
}

func TestCiliumHasOnlyFieldsOfTheSchema(t *testing.T) {
	text, _ := written(t, Cilium, server(t), Options{})
	var p networkPolicy
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if p.APIVersion != "cilium.io/v2" || p.Kind != "CiliumNetworkPolicy" || p.Metadata.Name == "" || len(p.Spec.EndpointSelector.MatchLabels) != 1 {
		t.Errorf("%+v", p)
	}
	first := p.Spec.Egress[0]
	if len(first.ToEndpoints) != 1 || len(first.ToPorts) != 1 || first.ToPorts[0].Rules == nil || len(first.ToPorts[0].Rules.DNS) < 10 {
		t.Errorf("the look-ups: %+v", first)
	}
	for _, e := range p.Spec.Egress[1:] {
		kinds := 0
		for _, n := range []int{len(e.ToEndpoints), len(e.ToFQDNs), len(e.ToCIDR)} {
			if n > 0 {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("a rule has one kind of destination: %+v", e)
		}
		everyPort := len(e.ToPorts) == 0
		if everyPort != (len(e.ToCIDR) > 0 && e.ToCIDR[0] == "198.18.7.7/32") {
			t.Errorf("only made-up/support has every port: %+v", e)
		}
		for _, list := range e.ToPorts {
			for _, port := range list.Ports {
				if len(list.Ports) > mostPorts || port.Port == "" || port.Protocol != "TCP" && port.Protocol != "UDP" {
					t.Errorf("%+v", list)
				}
			}
		}
	}
}
