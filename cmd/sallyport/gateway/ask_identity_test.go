// Tests of the identity that a question of explain gives.

package gateway

import (
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A text without a mark is refused, and the error has the text that was meant.
func TestMeantIdentity(t *testing.T) {
	cfg := &site.Config{Spec: rules.Spec{Clients: []*rules.Client{
		{Name: "server", Certificates: []string{"DNS:es.corp.example", "CN=es manager", "CN=es"}},
		{Name: "admins", Users: &rules.Users{Names: map[string]bool{"alice": true}}},
	}}}
	for _, c := range []struct{ text, want string }{
		{"user:alice", ""}, {"DNS:es.corp.example", ""}, {"CN=es manager", ""}, {"spiffe://corp.example/es", ""}, {"urn:uuid:1", ""}, {"user:alice CN=es manager", ""},
		{"alice", "did you mean user:alice?"},
		{"bob", "did you mean user:bob?"},
		{"es", "did you mean CN=es?"},
		{"es.corp.example", "did you mean DNS:es.corp.example?"},
		{"user:alice es", "did you mean user:alice CN=es?"},
		{"user:a:b", `--identity "user:a:b" is not an identity`},
	} {
		i, err := ClientIdentity(cfg, "", "10.1.2.3", c.text)
		if (err == nil) != (c.want == "") || (i == nil) != (err != nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v, want %q", c.text, i, err, c.want)
		}
	}
}
