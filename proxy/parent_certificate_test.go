// Tests of an https parent that asks for a client certificate and refuses what it gets. With TLS 1.3
// the refusal comes after the handshake, and a parent that resets the connection takes its alert
// with it.

package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// refusing is a parent with TLS that asks for a certificate and then ends the connection.
func refusing(certificate tls.Certificate, ask tls.ClientAuthType, version uint16, end func(*net.TCPConn, *tls.Conn)) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, _ io.Reader) {
		s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: ask, MaxVersion: version})
		if s.Handshake() == nil {
			end(conn, s)
		}
	}
}

// endings are the ways in which a parent may end a connection.
func endings() map[string]func(*net.TCPConn, *tls.Conn) {
	reset := func(conn *net.TCPConn, _ *tls.Conn) {
		conn.SetLinger(0)
		conn.Close()
	}
	return map[string]func(*net.TCPConn, *tls.Conn){
		"a reset at once": reset,
		"a reset after the request": func(conn *net.TCPConn, s *tls.Conn) {
			s.Read(make([]byte, 1))
			reset(conn, s)
		},
		"an end":        func(conn *net.TCPConn, _ *tls.Conn) { conn.CloseWrite(); io.Copy(io.Discard, conn) },
		"an end of TLS": func(conn *net.TCPConn, s *tls.Conn) { s.CloseWrite(); io.Copy(io.Discard, conn) },
	}
}

// certificateWorld is a world whose https parent is served by serve.
func certificateWorld(t *testing.T, keys string, files pemFiles, serve func(*net.TCPConn, io.Reader)) *world {
	w, _ := secureWorld(t, keys, files, nil, func(net.Conn, io.Reader) {})
	w.mu.Lock()
	w.origins[netip.MustParseAddrPort(parentAt)].close()
	w.mu.Unlock()
	w.origin(parentAt, serve)
	return w
}

func TestParentRefusesCertificate(t *testing.T) {
	t.Parallel()
	good, ca, _ := identity(t, time.Now().Add(time.Hour), "10.9.9.9")
	_, chain, key := identity(t, time.Now().Add(time.Hour), "sallyport")
	const (
		wants   = "The parent proxy corporate wants a client certificate: set cert and key of its [[parent]]."
		refuses = "The parent proxy corporate does not accept sallyport's client certificate: correct cert and key of its [[parent]]."
		other   = "The parent proxy corporate does not answer as a proxy does: check protocol and port in url of its [[parent]]."
		closes  = "The parent proxy corporate ended the connection before it answered. The destination may have carried out the request: check that before you send it again."
	)
	mine := "cert = \"cert\"\nkey = \"key\"\n"
	for _, c := range []struct {
		what, keys string
		ask        tls.ClientAuthType
		version    uint16
		fault      string
		hint, post string
		cause      rules.Cause
	}{
		{"without one", "", tls.RequestClientCert, tls.VersionTLS13, "parent_tls", wants, wants, rules.ParentTLS},
		{"without one, TLS 1.2", "", tls.RequestClientCert, tls.VersionTLS12, "parent_tls", wants, wants, rules.ParentTLS},
		{"with one", mine, tls.RequestClientCert, tls.VersionTLS13, "parent_tls", refuses, refuses, rules.ParentTLS},
		{"a parent that does not ask", mine, tls.NoClientCert, tls.VersionTLS13, "parent_reply", other, closes, rules.ParentReply},
	} {
		for how, end := range endings() {
			w := certificateWorld(t, c.keys, pemFiles{"ca": ca, "cert": chain, "key": key}, refusing(good, c.ask, c.version, end))
			n := 0
			last := func() rules.Close {
				n++
				w.eventually("the end of the flow", func() bool { return len(w.journal.closes()) == n })
				return w.journal.closes()[n-1]
			}
			for range 5 { // the order of our bytes and the reset varies
				if status, fault, hint := w.refused("a.example:443"); status != 502 || fault != c.fault || hint != c.hint {
					t.Errorf("%s, %s: CONNECT: %d %s %s", c.what, how, status, fault, hint)
				}
				if end := last(); end.Cause != c.cause || end.Help != c.hint || end.BytesOut != 0 {
					t.Errorf("%s, %s: CONNECT: record %v, %q", c.what, how, end.Cause, end.Help)
				}
				for method, hint := range map[string]string{"GET": c.hint, "POST": c.post} {
					resp, page := w.get(method + " http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n")
					if resp.StatusCode != 502 || resp.Header.Get("X-Sallyport-Fault") != c.fault || resp.Header.Get("X-Sallyport-Hint") != hint || !strings.Contains(page, hint) {
						t.Errorf("%s, %s: %s: %s %v %s", c.what, how, method, resp.Status, resp.Header, page)
					}
					if end := last(); end.Cause != c.cause || end.Help != hint || end.Attempt.Parent == nil {
						t.Errorf("%s, %s: %s: record %v, %q", c.what, how, method, end.Cause, end.Help)
					}
				}
				if reply := w.askedBySOCKS(t); reply != 1 {
					t.Errorf("%s, %s: SOCKS reply %d", c.what, how, reply)
				}
				if end := last(); end.Cause != c.cause {
					t.Errorf("%s, %s: SOCKS: record %v", c.what, how, end.Cause)
				}
			}
			w.onlyTo(parentAt)
		}
	}
}

// askedBySOCKS asks for a permitted destination and returns the reply's code.
func (w *world) askedBySOCKS(t *testing.T) byte {
	c := w.dial(w.socks)
	defer c.Close()
	io.WriteString(c, "\x05\x01\x00\x05\x01\x00\x03\x09a.example\x01\xbb")
	r := bufio.NewReader(c)
	reply := make([]byte, 4)
	if _, err := io.ReadFull(r, reply); err != nil {
		t.Fatal(err)
	}
	return reply[3]
}

// The check of a parent waits for the refusal, which comes after the handshake.
func TestCheckSeesRefusedCertificate(t *testing.T) {
	t.Parallel()
	good, ca, _ := identity(t, time.Now().Add(time.Hour), "10.9.9.9")
	for how, end := range endings() {
		if how == "a reset after the request" {
			continue // a check sends none
		}
		w := certificateWorld(t, "", pemFiles{"ca": ca}, refusing(good, tls.RequestClientCert, tls.VersionTLS13, end))
		_, err := w.p.CheckParent(t.Context(), w.live.Policy().Parents()[0])
		if _, help, ok := ParentFault(err); !ok || ParentCause(err) != rules.ParentTLS || !strings.Contains(help, "wants a client certificate") {
			t.Errorf("%s: %v, %q", how, err, help)
		}
	}
	w := certificateWorld(t, "", pemFiles{"ca": ca}, refusing(good, tls.RequireAnyClientCert, tls.VersionTLS13, nil)) // an alert
	if _, err := w.p.CheckParent(t.Context(), w.live.Policy().Parents()[0]); ParentCause(err) != rules.ParentTLS {
		t.Errorf("an alert: %v", err)
	}
	w = certificateWorld(t, "", pemFiles{"ca": ca}, refusing(good, tls.RequestClientCert, tls.VersionTLS13, func(_ *net.TCPConn, s *tls.Conn) { s.Read(make([]byte, 1)) }))
	if _, err := w.p.CheckParent(t.Context(), w.live.Policy().Parents()[0]); err != nil {
		t.Errorf("a parent that only asks: %v", err)
	}
}
