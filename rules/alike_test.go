// Clients that are alike share their tables; clients that differ in anything that a decision
// depends on do not.

package rules

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func TestAlikeClientsShare(t *testing.T) {
	p := &Profile{Name: "p", Roles: []string{"agent", "manager"}, Ports: []Port{{Name: "web", Default: 443}}}
	other := &Profile{Name: "p", Roles: []string{"agent"}}
	rule := &Rule{Profile: "p", ID: "x", From: "agent", To: []Destination{{Name: mustName("a.example")}, {Role: "manager"}}, TCP: Ports{{443, 443}}}
	p.Rules, other.Rules = []*Rule{rule}, []*Rule{rule}
	client := func(name string, change func(*Client)) *Client {
		c := &Client{Name: name, Sources: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Line: len(name),
			Profiles: []ClientProfile{{Profile: p, Role: "agent", Lines: ProfileLines{Table: len(name)}}}}
		change(c)
		return c
	}
	at := func(addr string) map[string][]Destination {
		return map[string][]Destination{"manager": {{Prefix: netip.MustParsePrefix(addr)}}}
	}
	own := &Rule{Profile: SiteProfile, ID: "own", Client: "second", To: []Destination{{Name: mustName("b.example")}}, TCP: Ports{{443, 443}}}
	for _, c := range []struct {
		what   string
		change func(*Client)
		rules  []*Rule
		share  bool
	}{
		{"name, line and sources", func(c *Client) { c.Sources = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")} }, nil, true},
		{"mode", func(c *Client) { c.Audit = true }, nil, true},
		{"profile of the same name", func(c *Client) { c.Profiles[0].Profile = other }, nil, false},
		{"no profile", func(c *Client) { c.Profiles = nil }, nil, false},
		{"role", func(c *Client) { c.Profiles[0].Role = "manager" }, nil, false},
		{"features", func(c *Client) { c.Profiles[0].Features = []string{"f"} }, nil, false},
		{"version", func(c *Client) { c.Profiles[0].Version = "6" }, nil, false},
		{"ports", func(c *Client) { c.Profiles[0].Ports = map[string]uint16{"web": 8443} }, nil, false},
		{"addresses", func(c *Client) { c.Addresses = at("10.0.0.1/32") }, nil, false},
		{"addresses of the profile", func(c *Client) { c.Profiles[0].Addresses = at("10.0.0.1/32") }, nil, false},
		{"without", func(c *Client) { c.Profiles[0].Without = []string{"x"} }, nil, false},
		{"a rule of its own", func(*Client) {}, []*Rule{own}, false},
	} {
		first, second := client("one", func(*Client) {}), client("second", c.change)
		policy, _ := Compile(&Spec{Clients: []*Client{first, second}, Rules: c.rules, Profiles: []*Profile{p}}, Own{}, time.Unix(0, 0))
		a, b := policy.scopes[0], policy.scopes[1]
		shared := len(b.rules) > 0 && &a.rules[0] == &b.rules[0]
		if shared != c.share || a.client != first || b.client != second {
			t.Errorf("%s: shared %v, want %v; clients %s, %s", c.what, shared, c.share, a.client.Name, b.client.Name)
		}
	}
	// The field-by-field comparison alone tells them apart, so that a field which likeKey
	// forgets makes no client share.
	for i := range reflect.TypeFor[ClientProfile]().NumField() {
		field := reflect.TypeFor[ClientProfile]().Field(i)
		x, y := Client{Profiles: []ClientProfile{{}}}, Client{Profiles: []ClientProfile{{}}}
		v := reflect.ValueOf(&y.Profiles[0]).Elem().Field(i)
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("x"), reflect.Zero(v.Type().Elem()))
		case reflect.Pointer:
			v.Set(reflect.ValueOf(&Profile{Name: "x"}))
		default:
			if field.Name != "Lines" {
				t.Errorf("%s: does a decision depend on it?", field.Name)
			}
			continue
		}
		if reflect.DeepEqual(permissions(&x), permissions(&y)) {
			t.Errorf("clients that differ in %s share", field.Name)
		}
	}
}
