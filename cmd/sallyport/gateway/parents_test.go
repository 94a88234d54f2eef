// Tests of parents in a running gateway: what a start needs, and what /readyz says.

package gateway

import (
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/site"
)

func TestReadyParents(t *testing.T) {
	secure := &rules.Parent{Name: "s", Scheme: rules.ParentHTTPS, Line: 3}
	unread := &rules.Parent{Name: "u", Scheme: rules.ParentHTTP, Unread: errors.New("site.toml:7: [[parent]] auth_file: permission denied")}
	cfg := &site.Config{Spec: rules.Spec{File: "site.toml", Parents: []*rules.Parent{secure, unread}}}
	err := readyParents(cfg, func() *x509.CertPool { return nil })
	want := "site.toml:3: [[parent]] s: this process can read no certificate authorities of this host: name those of the parent in ca, or install ca-certificates and restart\n" +
		"site.toml:7: [[parent]] auth_file: permission denied"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	cfg.Parents, secure.Roots = cfg.Parents[:1], nil
	if err := readyParents(cfg, x509.NewCertPool); err != nil || secure.Roots == nil {
		t.Errorf("%v, roots %v", err, secure.Roots)
	}
}

func TestReadyNamesTheParents(t *testing.T) {
	g, _, _ := readyGateway(t)
	g.cfg.Parents = []*rules.Parent{{Name: "corporate", Scheme: rules.ParentHTTP, At: rules.Authority{Addr: netip.MustParseAddr("127.0.0.1"), Port: 3128}, Login: rules.Login{User: "sally", Password: "hunter2"}}}
	for _, c := range []struct{ accept, want string }{
		{"", "parent: corporate, http://127.0.0.1:3128, by address: unused\n"},
		{"application/json", `"parents":[{"name":"corporate","url":"http://127.0.0.1:3128","by":"address","state":"unused","connected":0,"failed":0}]`},
	} {
		r := httptest.NewRequest("GET", "/readyz", nil)
		r.Header.Set("Accept", c.accept)
		w := httptest.NewRecorder()
		g.serveReady(w, r)
		if got := w.Body.String(); !strings.Contains(got, c.want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s\nlacks %s", got, c.want)
		}
	}
}
