// Tests of the names of a certificate: no name of one kind stands for a name of another kind, and what
// two readers may read in two ways proves nothing.

package proof

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
)

func TestNamesOfACertificate(t *testing.T) {
	root := proxytest.NewAuthority(t, "Root", nil)
	for _, c := range []struct {
		name string
		of   proxytest.Subject
		want []string
	}{
		{"each kind", proxytest.Subject{CN: "es", DNS: "ES.corp.example", URI: "spiffe://corp.example/es"}, []string{"spiffe://corp.example/es", "DNS:es.corp.example", "CN=es"}},
		{"a URI that looks like a common name", proxytest.Subject{CN: "nas", RawURIs: []string{"CN=es-manager"}}, []string{"CN=nas"}},
		{"a URI that looks like a DNS name", proxytest.Subject{CN: "nas", RawURIs: []string{"DNS:es.corp.example"}}, []string{"CN=nas"}},
		{"a URI that looks like a user", proxytest.Subject{CN: "nas", RawURIs: []string{"user:alice", "user://alice"}}, []string{"CN=nas"}},
		{"a DNS name that looks like a common name", proxytest.Subject{CN: "nas", DNS: "CN=es-manager"}, []string{"CN=nas"}},
		{"a common name that looks like a DNS name", proxytest.Subject{CN: "DNS:es.corp.example"}, []string{"CN=DNS:es.corp.example"}},
		{"a common name that looks like a URI", proxytest.Subject{CN: "spiffe://corp.example/es"}, []string{"CN=spiffe://corp.example/es"}},
		{"an empty fragment", proxytest.Subject{CN: "nas", RawURIs: []string{"spiffe://corp.example/es#"}}, []string{"CN=nas"}},
		{"an empty query", proxytest.Subject{CN: "nas", RawURIs: []string{"spiffe://corp.example/es?"}}, []string{"spiffe://corp.example/es?", "CN=nas"}},
		{"another letter case", proxytest.Subject{CN: "nas", RawURIs: []string{"SPIFFE://corp.example/es"}}, []string{"CN=nas"}},
		{"an escaped letter", proxytest.Subject{CN: "nas", RawURIs: []string{"spiffe://corp.example/%65s"}}, []string{"spiffe://corp.example/%65s", "CN=nas"}},
		{"two URIs", proxytest.Subject{CN: "nas", RawURIs: []string{"spiffe://corp.example/a", "spiffe://corp.example/b"}}, []string{"spiffe://corp.example/a", "spiffe://corp.example/b", "CN=nas"}},
		{"two common names", proxytest.Subject{CN: "nas", CNs: []string{"es-manager"}, DNS: "nas.corp.example"}, []string{"DNS:nas.corp.example"}},
		{"none", proxytest.Subject{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			leaf := root.Issue(c.of).Leaf
			if got := namesOf(leaf); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			checked := NewAuthorities([]*x509.Certificate{root.Cert}, nil).Verify([]*x509.Certificate{leaf}, time.Now())
			if (checked.Result == Accepted) != (len(c.want) > 0) {
				t.Errorf("%v %s", checked.Result, checked.Fault)
			}
		})
	}
}
