// Tests of certificates: which are accepted, and what is said about the others.

package proof

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
)

func TestCertificates(t *testing.T) {
	now := time.Now()
	root := proxytest.NewAuthority(t, "Root", nil)
	between := proxytest.NewAuthority(t, "Between", root)
	other := proxytest.NewAuthority(t, "Other", nil)
	subject := proxytest.Subject{CN: "es-manager", DNS: "ES.corp.example", URI: "spiffe://corp.example/es"}
	good, revoked := root.Issue(subject).Leaf, root.Issue(subject).Leaf
	below := between.Issue(subject).Leaf
	late, early, server := subject, subject, subject
	late.Until, early.From, early.Until, server.Server = now.Add(-time.Minute), now.Add(time.Hour), now.Add(2*time.Hour), true
	certs := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	lists := func(l ...*x509.RevocationList) []*x509.RevocationList { return l }
	from, until := now.Add(-time.Hour), now.Add(time.Hour)
	current := root.Revoke(from, until, revoked)
	for _, c := range []struct {
		name   string
		as     *Authorities
		shown  []*x509.Certificate
		result CertificateResult
		want   string // names, or a part of the fault
	}{
		{"good", NewAuthorities(certs(root.Cert), nil), certs(good), Accepted, "spiffe://corp.example/es DNS:es.corp.example CN=es-manager"},
		{"good, with a list", NewAuthorities(certs(root.Cert), lists(current)), certs(good), Accepted, "spiffe://corp.example/es DNS:es.corp.example CN=es-manager"},
		{"no name", NewAuthorities(certs(root.Cert), nil), certs(root.Issue(proxytest.Subject{}).Leaf), Untrusted, "has no name"},
		{"nothing shown", NewAuthorities(certs(root.Cert), nil), nil, Untrusted, "client_ca"},
		{"no authorities", nil, certs(good), Untrusted, "client_ca names no authorities"},
		{"an intermediate authority", NewAuthorities(certs(root.Cert), nil), certs(below, between.Cert), Accepted, "spiffe://corp.example/es DNS:es.corp.example CN=es-manager"},
		{"without the intermediate authority", NewAuthorities(certs(root.Cert), nil), certs(below), Untrusted, `was issued by "CN=Between", and no authority of [listen] client_ca has signed it`},
		{"another authority", NewAuthorities(certs(root.Cert), nil), certs(other.Issue(subject).Leaf), Untrusted, `issued by "CN=Other"`},
		{"another authority, which the client sends", NewAuthorities(certs(root.Cert), nil), certs(other.Issue(subject).Leaf, other.Cert), Untrusted, `issued by "CN=Other"`},
		{"another authority with the same name", NewAuthorities(certs(root.Cert), nil), certs(proxytest.NewAuthority(t, "Root", nil).Issue(subject).Leaf), Untrusted, `issued by "CN=Root"`},
		{"expired", NewAuthorities(certs(root.Cert), nil), certs(root.Issue(late).Leaf), Expired, `the certificate "CN=es-manager" expired on ` + day(now.Add(-time.Minute))},
		{"not valid yet", NewAuthorities(certs(root.Cert), nil), certs(root.Issue(early).Leaf), Expired, `is not valid before`},
		{"for a server", NewAuthorities(certs(root.Cert), nil), certs(root.Issue(server).Leaf), Untrusted, "its extended key usage lacks clientAuth"},
		{"revoked", NewAuthorities(certs(root.Cert), lists(current)), certs(revoked), Revoked, `the certificate "CN=es-manager" was revoked on ` + day(from)},
		{"not revoked any more", NewAuthorities(certs(root.Cert), lists(current, root.Revoke(now.Add(-time.Minute), until))), certs(revoked), Accepted, "spiffe://"},
		{"an older list beside it", NewAuthorities(certs(root.Cert), lists(current, root.Revoke(from.Add(-time.Hour), until))), certs(revoked), Revoked, "was revoked"},
		{"a list that ended", NewAuthorities(certs(root.Cert), lists(root.Revoke(from, now.Add(-time.Minute)))), certs(good), Unlisted, `the list of "CN=Root" in [listen] client_crl ended on`},
		{"revoked by a list that ended", NewAuthorities(certs(root.Cert), lists(root.Revoke(from, now.Add(-time.Minute), good))), certs(good), Revoked, "was revoked"},
		{"a list that has not begun", NewAuthorities(certs(root.Cert), lists(root.Revoke(now.Add(time.Minute), until))), certs(good), Unlisted, "begins on"},
		{"no list", NewAuthorities(certs(root.Cert, other.Cert), lists(other.Revoke(from, until))), certs(good), Unlisted, `client_crl has no list of "CN=Root"`},
		{"a list of another authority", NewAuthorities(certs(root.Cert), lists(proxytest.NewAuthority(t, "Root", nil).Revoke(from, until))), certs(good), Unlisted, "has no list"},
		{"no list of the intermediate authority", NewAuthorities(certs(root.Cert), lists(current)), certs(below, between.Cert), Unlisted, `has no list of "CN=Between"`},
		{"lists of both", NewAuthorities(certs(root.Cert, between.Cert), lists(current, between.Revoke(from, until))), certs(below), Accepted, "spiffe://"},
		{"a revoked intermediate authority", NewAuthorities(certs(root.Cert, between.Cert), lists(root.Revoke(from, until, between.Cert), between.Revoke(from, until))), certs(below), Untrusted, "no authority of [listen] client_ca has signed it"},
		{"and the client sends it", NewAuthorities(certs(root.Cert, between.Cert), lists(root.Revoke(from, until, between.Cert), between.Revoke(from, until))), certs(below, between.Cert), Revoked, `"CN=Between" was revoked`},
	} {
		got := c.as.Verify(c.shown, now)
		text := got.Fault
		if got.Result == Accepted {
			text = strings.Join(got.Names, " ")
		}
		if got.Result != c.result || !strings.Contains(text, c.want) || got.Result == Accepted != (len(got.Names) > 0) || got.Result == Accepted != (got.Fault == "") {
			t.Errorf("%s: %v %q %q, want %v %q", c.name, got.Result, got.Names, got.Fault, c.result, c.want)
		}
	}
}

// An answer holds until the first certificate or list ends.
func TestCheckUntil(t *testing.T) {
	root, now := proxytest.NewAuthority(t, "Root", nil), time.Now().Truncate(time.Second)
	leaf := root.Issue(proxytest.Subject{CN: "a", Until: now.Add(30 * time.Minute)}).Leaf
	list := root.Revoke(now.Add(-time.Hour), now.Add(10*time.Minute))
	if got := NewAuthorities([]*x509.Certificate{root.Cert}, nil).Verify([]*x509.Certificate{leaf}, now); !got.Until.Equal(leaf.NotAfter) {
		t.Errorf("until %v, want %v", got.Until, leaf.NotAfter)
	}
	if got := NewAuthorities([]*x509.Certificate{root.Cert}, []*x509.RevocationList{list}).Verify([]*x509.Certificate{leaf}, now); !got.Until.Equal(list.NextUpdate) {
		t.Errorf("until %v, want %v", got.Until, list.NextUpdate)
	}
}

// Names that nobody can list are not taken, and a certificate with thousands of names proves a bounded
// number.
func TestNamesOf(t *testing.T) {
	root := proxytest.NewAuthority(t, "Root", nil)
	for _, s := range []proxytest.Subject{{URI: "user://alice"}, {URI: "urn:user:alice"}, {DNS: "*.corp.example"}, {CN: " x"}, {CN: "a\nb"}, {CN: strings.Repeat("x", 400)}} {
		if names := namesOf(root.Issue(s).Leaf); len(names) > 0 {
			t.Errorf("%+v: %q", s, names)
		}
	}
	leaf := root.Issue(proxytest.Subject{CN: "a"}).Leaf
	for range 5000 {
		leaf.DNSNames = append(leaf.DNSNames, "a.example")
	}
	if names := namesOf(leaf); len(names) != maxNames {
		t.Errorf("%d names", len(names))
	}
}
