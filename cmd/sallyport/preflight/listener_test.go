// Tests of the checks of the gateway's own listener for TLS.

package preflight

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
)

// parse returns the certificates of a TLS certificate.
func parse(t *testing.T, c tls.Certificate) (chain []*x509.Certificate) {
	t.Helper()
	for _, der := range c.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, one)
	}
	return chain
}

func TestListenerJudge(t *testing.T) {
	root, other := proxytest.NewAuthority(t, "Root", nil), proxytest.NewAuthority(t, "Other", nil)
	between := proxytest.NewAuthority(t, "Between", root)
	good := root.Issue(proxytest.Subject{DNS: "proxy.corp.example", Server: true}).Leaf
	below := between.Issue(proxytest.Subject{DNS: "proxy.corp.example", Server: true}).Leaf
	nameless := root.Issue(proxytest.Subject{CN: "proxy", Server: true}).Leaf
	forClients := root.Issue(proxytest.Subject{DNS: "proxy.corp.example"}).Leaf
	old := root.Issue(proxytest.Subject{DNS: "proxy.corp.example", Server: true, From: time.Now().Add(-2 * time.Hour), Until: time.Now().Add(-time.Hour)}).Leaf
	list := func(cs ...*x509.Certificate) []*x509.Certificate { return cs }
	trusting := func(c *x509.Certificate) *x509.CertPool { p := x509.NewCertPool(); p.AddCert(c); return p }
	for _, c := range []struct {
		name     string
		chain    []*x509.Certificate
		roots    *x509.CertPool
		own      []*x509.Certificate
		at       string
		status   Status
		verified bool
		words    string
	}{
		{"this host trusts it", list(below, between.Cert), trusting(root.Cert), nil, "0.0.0.0:3131", OK, true, "complete: this host trusts it"},
		{"with its root", list(below, between.Cert, root.Cert), nil, nil, "0.0.0.0:3131", OK, false, `complete: it ends at "CN=Root", which signs itself`},
		{"signed by client_ca", list(good), nil, list(other.Cert, root.Cert), "0.0.0.0:3131", OK, false, `complete: "CN=Root", which is in client_ca, has signed it`},
		{"an intermediate is missing", list(below), trusting(root.Cert), list(root.Cert), "0.0.0.0:3131", Warning, false, `the file ends before "CN=Between"`},
		{"the order", list(below, root.Cert, between.Cert), nil, nil, "0.0.0.0:3131", Warning, false, `"CN=Root" follows "`},
		{"another authority", list(good, other.Cert), nil, nil, "0.0.0.0:3131", Warning, false, "has not signed it"},
		{"its dates have their own check", list(old), trusting(root.Cert), nil, "0.0.0.0:3131", OK, true, "complete"},
		{"no name", list(nameless), trusting(root.Cert), nil, "0.0.0.0:3131", Failed, true, "neither a DNS name nor an address"},
		{"not for servers", list(forClients), nil, list(root.Cert), "0.0.0.0:3131", Failed, false, "lacks serverAuth"},
		{"the address is not in it", list(good), trusting(root.Cert), nil, "10.20.30.1:3131", OK, true, "one of proxy.corp.example; 10.20.30.1 is not in the certificate"},
	} {
		l := &Listener{Addresses: []string{c.at}, Status: NotTried}
		l.Judge(c.chain, c.roots, c.own, time.Now())
		var b bytes.Buffer
		l.write(&b)
		if l.Status != c.status || l.Cert.Verified != c.verified || !strings.Contains(b.String(), c.words) {
			t.Errorf("%s: %s, verified %v, want %s %v %q\n%s", c.name, l.Status, l.Cert.Verified, c.status, c.verified, c.words, b.String())
		}
	}
}

// An intermediate authority that has expired breaks the chain.
func TestListenerJudgeExpiredIntermediate(t *testing.T) {
	root := proxytest.NewAuthority(t, "Root", nil)
	between := proxytest.NewAuthority(t, "Between", root)
	leaf := between.Issue(proxytest.Subject{DNS: "proxy.corp.example", Server: true, From: time.Now(), Until: time.Now().Add(300 * 24 * time.Hour * 100)}).Leaf
	l := &Listener{Status: NotTried}
	l.Judge([]*x509.Certificate{leaf, between.Cert}, nil, nil, between.Cert.NotAfter.Add(time.Hour))
	if l.Status != Failed || !strings.Contains(l.Checks[0].Detail, `"CN=Between" in the file is valid from `) {
		t.Errorf("%+v", l)
	}
}

// Try compares what a listener shows with what it should show, and trusts no other program there.
func TestListenerTry(t *testing.T) {
	root := proxytest.NewAuthority(t, "Root", nil)
	mine, old := root.Issue(proxytest.Subject{DNS: "proxy.corp.example", Server: true}), root.Issue(proxytest.Subject{DNS: "old.corp.example", CN: "old", Server: true})
	for _, c := range []struct {
		name   string
		serve  func(net.Conn) // nil: no process listens
		from   string         // a balancer
		status Status
		words  string
	}{
		{"this certificate", shows(mine), "", OK, "the running sallyport shows this certificate"},
		{"another certificate", shows(old), "", Warning, `shows another certificate, "CN=old" until `},
		{"another program", func(c net.Conn) { io.WriteString(c, "220 mail ESMTP\r\n"); io.Copy(io.Discard, c) }, "", Failed, "another program may listen there"},
		{"it closes", func(c net.Conn) { c.Read(make([]byte, 4096)) }, "", Failed, "closed during the handshake"},
		{"silence", func(c net.Conn) { io.Copy(io.Discard, c) }, "", Failed, "deadline exceeded"},
		{"no process", nil, "", NotTried, "no process listens there now"},
		{"a balancer", shows(mine), "127.0.0.0/8", NotTried, "needs the header of a balancer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan struct{})
			go func() {
				defer close(served)
				for {
					conn, err := in.Accept()
					if err != nil {
						return
					}
					c.serve(conn)
					conn.Close()
				}
			}()
			if c.serve == nil {
				in.Close()
			}
			l := &Listener{Addresses: []string{in.Addr().String()}, Status: NotTried}
			var balancers []netip.Prefix
			if c.from != "" {
				balancers = append(balancers, netip.MustParsePrefix(c.from))
			}
			limit := 20 * time.Second
			if c.name == "silence" {
				limit = 200 * time.Millisecond
			}
			l.Try(t.Context(), parse(t, mine)[0], limit, balancers)
			in.Close()
			<-served
			if l.Status != c.status || !strings.Contains(l.Checks[0].Detail, c.words) {
				t.Errorf("%+v, want %s %q", l, c.status, c.words)
			}
		})
	}
}

// shows answers with a handshake.
func shows(cert tls.Certificate) func(net.Conn) {
	return func(c net.Conn) {
		layer := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		if layer.Handshake() == nil {
			io.Copy(io.Discard, layer)
		}
	}
}
