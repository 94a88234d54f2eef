// Identity tests: who is which client when addresses are not all that counts.

package rules_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	. "sallyport/rules"
)

// identityPolicy has clients in this order: hosts with a certificate and an address, administrators
// and staff with a login from one network, hosts with a certificate and a login, and an open network.
func identityPolicy() *Policy {
	net := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	users := func(names ...string) *Users {
		u := &Users{Names: map[string]bool{}}
		for _, n := range names {
			u.Names[n] = true
		}
		return u
	}
	client := func(name string, sources []netip.Prefix, certs []string, u *Users) *Client {
		return &Client{Name: name, Sources: sources, Certificates: certs, Users: u}
	}
	p, _ := Compile(&Spec{Clients: []*Client{
		client("server", net("10.1.0.0/16"), []string{"DNS:es.corp.example", "CN=es"}, nil),
		client("anywhere", nil, []string{"spiffe://corp.example/agent"}, nil),
		client("admins", net("10.2.0.0/16"), nil, users("root", "alice")),
		client("staff", net("10.2.0.0/16"), nil, users("bob")),
		client("both", net("10.3.0.0/16"), []string{"CN=both"}, users("carol")),
		client("open", net("10.2.9.0/24"), nil, nil),
	}}, Own{}, time.Unix(1e9, 0))
	return p
}

func TestWhoAsks(t *testing.T) {
	p := identityPolicy()
	for _, c := range []struct {
		from, identity string
		client         string // or the reason
		login          bool   // a password could help
	}{
		{"10.1.0.1", "DNS:es.corp.example", "server", false},
		{"10.1.0.1", "CN=es", "server", false},
		{"10.1.0.1", "", "unauthenticated", false},
		{"10.1.0.1", "CN=other", "unauthenticated", false},
		{"10.1.0.1", "user:alice", "unauthenticated", false},
		{"10.9.0.1", "CN=es", "unauthenticated", false}, // "anywhere" has every address
		{"10.9.0.1", "spiffe://corp.example/agent", "anywhere", false},
		{"192.0.2.7", "spiffe://corp.example/agent", "anywhere", false},
		{"192.0.2.7", "spiffe://corp.example/agent2", "unauthenticated", false},
		{"10.2.0.1", "user:alice", "admins", true},
		{"10.2.0.1", "user:root", "admins", true},
		{"10.2.0.1", "user:bob", "staff", true},
		{"10.2.0.1", "user:carol", "unauthenticated", true},
		{"10.2.0.1", "", "unauthenticated", true},
		{"10.2.9.1", "", "open", true},
		{"10.2.9.1", "user:alice", "admins", true},
		{"10.3.0.1", "CN=both", "unauthenticated", true},
		{"10.3.0.1", "user:carol", "unauthenticated", false},
		{"10.3.0.1", "user:carol CN=both", "both", true},
	} {
		i, ok := ParseIdentity(c.identity)
		if !ok || i.Of(nil) != c.identity {
			t.Errorf("%q is read as %+v, %v", c.identity, i, ok)
		}
		name, _ := ParseName("a.example")
		d := p.Decide(Attempt{Via: ViaConnect, Proto: TCP, Client: netip.AddrPortFrom(netip.MustParseAddr(c.from), 1), Identity: i, Authority: name, Dest: netip.AddrPortFrom(netip.Addr{}, 443), Provisional: true})
		got := d.Why().String()
		if d.Client != nil {
			got = d.Client.Name
		}
		if got != c.client || d.TakesLogin() != c.login || d.Allowed() {
			t.Errorf("%s as %q: %s, takes login %v", c.from, c.identity, got, d.TakesLogin())
		}
		if d.AsksLogin() != (c.login && c.client == "unauthenticated") {
			t.Errorf("%s as %q: asks for a login: %v", c.from, c.identity, d.AsksLogin())
		}
	}
}

// A proof that was refused is denied, also where an address alone would be enough.
func TestRefusedProof(t *testing.T) {
	p := identityPolicy()
	for _, from := range []string{"10.2.9.1", "10.2.0.1"} {
		for fault, want := range map[Reason]Reason{Unauthenticated: Unauthenticated, Limit: Limit} {
			a := Attempt{Via: ViaConnect, Proto: TCP, Client: netip.AddrPortFrom(netip.MustParseAddr(from), 1), Fault: fault, Dest: netip.MustParseAddrPort("0.0.0.0:443"), Provisional: true}
			if d := p.Decide(a); d.Allowed() || from == "10.2.0.1" && d.Why() != want || fault == Unauthenticated && d.Why() != want {
				t.Errorf("%s, fault %v: %v", from, fault, d.Why())
			}
		}
	}
}

func TestIdentityText(t *testing.T) {
	for _, bad := range []string{"user:", "user:a b:c", "user:a\x00", "user:a:b", "user: CN=x"} {
		if i, ok := ParseIdentity(bad); ok && i.User != "a" {
			t.Errorf("%q is read as %+v", bad, i)
		}
	}
	i := &Identity{Certificate: []string{"CN=x", "DNS:y.example"}, User: "alice"}
	if got := i.Of(&Client{Certificates: []string{"DNS:y.example"}}); got != "user:alice DNS:y.example" {
		t.Error(got)
	}
}

// What a client demands, and whether two proofs are the same.
func TestDemanded(t *testing.T) {
	users := &Users{Names: map[string]bool{"root": true, "alice": true}}
	for _, c := range []struct {
		what   string
		client Client
		want   *Identity
	}{
		{"a certificate", Client{Certificates: []string{"DNS:es.corp.example", "CN=es"}}, &Identity{Certificate: []string{"DNS:es.corp.example"}}},
		{"a login", Client{Users: users}, &Identity{User: "alice"}},
		{"both", Client{Certificates: []string{"CN=both"}, Users: users}, &Identity{User: "alice", Certificate: []string{"CN=both"}}},
		{"an address alone", Client{}, nil},
	} {
		if got := c.client.Demanded(); !got.Equal(c.want) {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
	one := &Identity{User: "alice", Certificate: []string{"CN=a"}}
	for _, other := range []*Identity{nil, {}, {User: "alice"}, {User: "bob", Certificate: []string{"CN=a"}}, {User: "alice", Certificate: []string{"CN=a", "CN=b"}}} {
		if one.Equal(other) || other.Equal(one) {
			t.Errorf("%+v equals %+v", one, other)
		}
	}
	if !one.Equal(&Identity{User: "alice", Certificate: []string{"CN=a"}}) || !(*Identity)(nil).Equal(nil) {
		t.Error("equal proofs differ")
	}
}

// Neither a hash nor a login can be printed by accident.
func TestSecretsAreNotPrinted(t *testing.T) {
	var h Hash
	text, err := h.MarshalText()
	printed := fmt.Sprintf("%v %+v %#v %s ", h, h, h, text) + fmt.Sprintf("%v %+v %#v", Login{"sally", "hunter2"}, Login{"sally", "hunter2"}, Login{"sally", "hunter2"})
	if printed != "(hash) (hash) (hash) (hash) (hidden) (hidden) rules.Login{hidden}" || err != nil {
		t.Errorf("%q %v", printed, err)
	}
}

// A denied client reads who its address could be, and what they demand. An unknown user and a wrong
// password have the same hint, and no hint has the list of the users.
func TestHintOfUnproven(t *testing.T) {
	p := identityPolicy()
	const anywhere = `, or client "anywhere" demands a certificate with spiffe://corp.example/agent`
	for _, c := range []struct {
		what, from, identity, detail string
		via                          Via
		want                         string
	}{
		{"no certificate", "10.1.0.1", "", "", ViaConnect, `client "server" demands a certificate with DNS:es.corp.example or CN=es` + anywhere + `: give the client program the certificate; only [listen] https takes it`},
		{"another certificate", "10.1.0.1", "CN=other", "", ViaHTTP, `the certificate has CN=other; client "server" demands a certificate with DNS:es.corp.example or CN=es` + anywhere},
		{"a certificate that was refused", "10.1.0.1", "", `the certificate "CN=es" expired on 2026-01-01`, ViaConnect, `client "server" demands a certificate with DNS:es.corp.example or CN=es` + anywhere + `: the certificate "CN=es" expired on 2026-01-01`},
		{"no login", "10.2.0.1", "", "", ViaConnect, `client "anywhere" demands a certificate with spiffe://corp.example/agent, or clients "admins" and "staff" demand a login: give the client program the certificate, for [listen] https, and the user and the password`},
		{"another user", "10.2.0.1", "user:carol", "", ViaSOCKS5, `user carol has logged in, and is not in the users_file; client "anywhere" demands a certificate with spiffe://corp.example/agent, or clients "admins" and "staff" demand a login`},
		{"a wrong password", "10.2.0.1", "", "the user or the password is wrong", ViaConnect, `client "anywhere" demands a certificate with spiffe://corp.example/agent, or clients "admins" and "staff" demand a login: the user or the password is wrong`},
		{"half of both", "10.3.0.1", "CN=both", "", ViaConnect, `the certificate has CN=both; client "anywhere" demands a certificate with spiffe://corp.example/agent, or client "both" demands a login`},
		{"a query", "10.1.0.1", "", "", ViaDNS, `client "server" demands a certificate with DNS:es.corp.example or CN=es` + anywhere + `, and a client proves nothing by dns: send its traffic through the proxy, or list its address in a [[client]] without certificate and users_file`},
	} {
		i, _ := ParseIdentity(c.identity)
		name, _ := ParseName("a.example")
		a := Attempt{Via: c.via, Proto: TCP, Client: netip.AddrPortFrom(netip.MustParseAddr(c.from), 1), Identity: i, Authority: name, Dest: netip.AddrPortFrom(netip.Addr{}, 443), Detail: c.detail, Provisional: true}
		if c.detail != "" {
			a.Fault = Unauthenticated
		}
		d := p.Decide(a)
		if got := Hint(a, d); d.Allowed() || d.Why() != Unauthenticated || !strings.HasPrefix(got, c.want) || strings.Contains(got, "alice") || strings.Contains(got, "root") {
			t.Errorf("%s: %v\n got %s\nwant %s", c.what, d.Why(), got, c.want)
		}
	}
	login, _ := Compile(&Spec{Clients: []*Client{{Name: "u", Users: &Users{Names: map[string]bool{"alice": true}}}}}, Own{}, time.Unix(1e9, 0))
	a := Attempt{Via: ViaConnect, Proto: TCP, Client: netip.MustParseAddrPort("10.1.0.1:1")}
	if got, want := Hint(a, login.Decide(a)), `client "u" demands a login: enter a user of its users_file and the password in the proxy settings of the client program`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
