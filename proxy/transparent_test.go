// Redirected connections: the bytes identify the protocol, and the name in them is the
// destination.

package proxy

import (
	"io"
	"testing"
	"time"

	utls "github.com/refraction-networking/utls"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// A flow with a name is connected to our resolution of that name, whatever its original
// destination was. A flow without a name goes by the address.
func TestRedirected(t *testing.T) {
	t.Parallel()
	hello := func(name string) string { return string(helloFor(t, name)) }
	byHand := func(exts ...proxytest.Ext) string {
		return string(proxytest.Records(proxytest.Message(exts...), maxRecord))
	}
	whole := hello("a.example")
	for _, c := range []struct {
		name, dst, first string
		reason           rules.Reason
		end              string
		dialed           string // "": nothing
		mismatch         bool
	}{
		// The name decides.
		{"SNI, at its address", "8.8.8.8:443", whole, 0, endsRelayed, "8.8.8.8:443", false},
		{"SNI in upper case", "8.8.8.8:443", hello("A.EXAMPLE"), 0, endsRelayed, "8.8.8.8:443", false},
		{"SNI on another documented port", "8.8.8.8:5000", whole, 0, endsRelayed, "8.8.8.8:5000", false},
		{"forged SNI to an unlisted address", unlisted + ":443", whole, 0, endsRelayed, "8.8.8.8:443", true},
		{"forged SNI to another name's address", "8.8.8.6:443", whole, 0, endsRelayed, "8.8.8.8:443", true},
		{"forged SNI to a metadata service", "169.254.169.254:443", whole, 0, endsRelayed, "8.8.8.8:443", true},
		{"forged SNI to loopback", "127.0.0.1:443", whole, 0, endsRelayed, "8.8.8.8:443", true},
		{"forged SNI to a private address, IPv6", "[fd00::7]:443", whole, 0, endsRelayed, "8.8.8.8:443", true},
		{"private answers are not used", "8.8.8.8:443", hello("mixed.example"), 0, endsRelayed, "8.8.8.8:443", false},
		{"only private answers", "8.8.8.8:443", hello("inside.example"), rules.PrivateAddress, endsAlert, "", true},
		{"forbidden SNI, at a permitted address", "8.8.8.8:443", hello("evil.example"), rules.NotListed, endsAlert, "", false},
		{"forbidden SNI, at a bound address", "8.8.8.5:443", hello("evil.example"), rules.NotListed, endsAlert, "", false},
		{"permitted SNI, undocumented port", "8.8.8.8:8443", whole, rules.PortNotListed, endsAlert, "", false},
		{"permitted SNI, a port below all rules", "8.8.8.8:22", whole, rules.PortNotListed, endsAlert, "", false},

		// ClientHellos without a usable name, each for its own reason.
		{"no SNI", "8.8.8.8:443", hello(""), rules.SNIMissing, endsAlert, "", false},
		{"no SNI, another port", "8.8.8.8:5000", hello(""), rules.IPLiteral, endsAlert, "", false},
		{"two SNI extensions", "8.8.8.8:443", byHand(proxytest.SNI(0, "a.example"), proxytest.SNI(0, "a.example")), rules.MalformedName, endsAlert, "", false},
		{"two names in one extension", "8.8.8.8:443", byHand(proxytest.SNI(0, "a.example", "b.example")), rules.MalformedName, endsAlert, "", false},
		{"a name of an unknown type", "8.8.8.8:443", byHand(proxytest.SNI(1, "a.example")), rules.MalformedName, endsAlert, "", false},
		{"an empty name", "8.8.8.8:443", byHand(proxytest.SNI(0, "")), rules.MalformedName, endsAlert, "", false},
		{"NUL in the name", "8.8.8.8:443", byHand(proxytest.SNI(0, "evil\x00.a.example")), rules.MalformedName, endsAlert, "", false},
		{"an address as the name", "8.8.8.8:443", byHand(proxytest.SNI(0, "8.8.8.8")), rules.MalformedName, endsAlert, "", false},
		{"a hello over the limit", "8.8.8.8:443", byHand(proxytest.SNI(0, "a.example"), proxytest.NewExt(21, make([]byte, 20<<10))), rules.SniffTooLong, endsAlert, "", false},
		{"a second hello in the record", "8.8.8.8:443", string(proxytest.Record(22, 3, proxytest.Join(proxytest.Message(proxytest.SNI(0, "a.example")), proxytest.Message(proxytest.SNI(0, "evil.example"))))), rules.MalformedRequest, endsAlert, "", false},
		{"an empty record", "8.8.8.8:443", "\x16\x03\x01\x00\x00" + whole, rules.MalformedRequest, endsAlert, "", false},
		{"an SSLv2 hello", "8.8.8.8:443", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", rules.NotTLS, endsReset, "", false},
		{"an alert before the hello", "8.8.8.8:443", "\x15\x03\x01\x00\x02\x01\x00" + whole, rules.NotTLS, endsReset, "", false},
		{"part of a hello", "8.8.8.8:443", whole[:100], rules.SniffTimeout, endsAlert, "", false},
		{"part of a record header", "8.8.8.8:443", whole[:1], rules.SniffTimeout, endsAlert, "", false},

		// The bytes identify the protocol; the port says which protocol it must be.
		{"HTTP on 443", "8.8.8.8:443", "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", rules.NotTLS, endsPage, "", false},
		{"SSH on 443", "8.8.8.8:443", "SSH-2.0-OpenSSH_10.0\r\n", rules.NotTLS, endsReset, "", false},
		{"text without end on 443", "8.8.8.8:443", "USER x", rules.NotTLS, endsReset, "", false},
		{"PostgreSQL on 443", "8.8.8.8:443", "\x00\x00\x00\x08\x04\xd2\x16\x2f", rules.NotTLS, endsReset, "", false},
		{"TLS on 80", "8.8.8.8:80", whole, rules.NotHTTP, endsAlert, "", false},
		{"SSH on 80", "8.8.8.8:80", "SSH-2.0-x\r\n", rules.NotHTTP, endsReset, "", false},
		{"HTTP/2 with prior knowledge", "8.8.8.8:80", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", rules.MalformedRequest, endsPage, "", false},
		{"silence on 443", "8.8.8.8:443", "", rules.SniffTimeout, endsReset, "", false},

		// Flows without a name: the address decides.
		{"opaque to an address without rule or pin", "8.8.8.8:5000", "\x00\x01\x02", rules.IPLiteral, endsReset, "", false},
		{"opaque to an unlisted address", unlisted + ":22", "SSH-2.0-x\r\n", rules.IPLiteral, endsReset, "", false},
		{"silence to an unlisted address", unlisted + ":25", "", rules.SniffTimeout, endsReset, "", false},
		{"bound address, TLS without a name", "8.8.8.5:443", hello(""), 0, endsRelayed, "8.8.8.5:443", false},
		{"bound address, no TLS on 443", "8.8.8.5:443", "SSH-2.0-x\r\n", rules.NotTLS, endsReset, "", false},
		{"bound address, its own name", "8.8.8.5:443", hello("own.example"), 0, endsRelayed, "8.8.8.5:443", false},
		{"bound address, undocumented port", "8.8.8.5:22", "SSH-2.0-x\r\n", rules.PortNotListed, endsReset, "", false},
		{"every protocol: any bytes on 443", "8.8.8.7:443", "SSH-2.0-x\r\n", 0, endsRelayed, "8.8.8.7:443", false},
		{"every protocol: any name", "8.8.8.7:443", hello("evil.example"), 0, endsRelayed, "8.8.8.7:443", false},
		{"every port", "8.8.8.7:64999", "\x00", 0, endsRelayed, "8.8.8.7:64999", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRedirectWorld(t, func(cfg *Config) {
				if c.reason == rules.SniffTimeout || c.first == "USER x" {
					cfg.Limits.Sniff = 100 * time.Millisecond
				}
			})
			var o *origin
			if c.dialed != "" {
				o = b.origin(c.dialed, echo)
			}
			elsewhere := o
			if c.dst != c.dialed {
				elsewhere = b.origin(c.dst, echo)
			}
			conn := b.to(c.dst)
			io.WriteString(conn, c.first)
			if c.end == endsRelayed {
				if _, err := io.ReadFull(conn, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				conn.CloseWrite()
			}
			b.wantEndOf(conn, c.end, c.reason)
			verdict := rules.Deny
			if c.reason == rules.ReasonNone {
				verdict = rules.Allow
			}
			r := b.wantOne(verdict, c.reason)
			if r.a.Original.String() != c.dst || r.a.Mismatch != c.mismatch || r.a.Via != rules.ViaTransparent {
				t.Errorf("on record: original %v, mismatch %v, via %v", r.a.Original, r.a.Mismatch, r.a.Via)
			}
			b.idle()
			if c.dst != c.dialed && (elsewhere.connections() > 0 || elsewhere.received() != "") {
				t.Errorf("at the original destination arrived %q", elsewhere.received())
			}
			if c.dialed == "" {
				if len(b.dialed()) > 0 || len(b.lookedUp()) > 0 && c.reason != rules.PrivateAddress && c.reason != rules.NotHTTP {
					t.Errorf("looked up %v, dialed %v", b.lookedUp(), b.dialed())
				}
				return
			}
			if ds := b.dialed(); len(ds) != 1 || ds[0].String() != c.dialed || o.received() != c.first {
				t.Errorf("dialed %v, arrived %q", ds, o.received())
			}
			if end := b.wantClosed(); end.Cause != rules.EndClean || end.Dialed.String() != c.dialed || end.BytesIn != uint64(len(c.first)) || end.BytesOut != end.BytesIn {
				t.Errorf("closed %+v", end)
			}
		})
	}
}

// A connection that was not redirected, or whose destination is one of our listeners, is
// refused at once, whatever it would show.
func TestNotRedirected(t *testing.T) {
	t.Parallel()
	b := newRedirectWorld(t, nil)
	for _, c := range []struct{ name, dst, detail string }{
		{"to the transparent listener itself", b.addr.String(), "the connection was not redirected"},
		{"nothing is tracked", "", "not redirected, or not tracked: no such entry"},
		{"redirected on its way to the HTTP listener", b.http.String(), ""},
		{"redirected on its way to the admin listener", "127.0.0.1:9180", ""},
	} {
		before := len(b.journal.decisions())
		conn := b.to(c.dst)
		_, sent := conn.Write(helloFor(t, "a.example"))
		if got, err := io.ReadAll(conn); len(got) > 0 || sent == nil && err == nil {
			t.Errorf("%s: got %q, %v, want a reset", c.name, got, err)
		}
		b.eventually("a decision", func() bool { return len(b.journal.decisions()) == before+1 })
		if d := b.journal.decisions()[before]; d.d.Allowed() || d.d.Why() != rules.Self || d.a.Detail != c.detail {
			t.Errorf("%s: %v %v (%s)", c.name, d.d.Verdict, d.d.Why(), d.a.Detail)
		}
	}
	b.wantNoTrace()
}

// An unknown client gets a denial with that reason, and nothing else is done for it.
func TestRedirectedUnknownClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, end string }{
		{string(helloFor(t, "a.example")), endsAlert},
		{"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", endsPage},
	} {
		b := newRedirectWorld(t, nil)
		b.policy("[[client]]\nname = 'other'\nsources = ['10.0.0.1']\nprofiles = []\n[[rule]]\nid = 'all'\nclient = 'other'\nto = ['a.example']\ntcp = [80, 443, 5000]\nreason = 'test'\n")
		conn := b.to("8.8.8.8:5000")
		io.WriteString(conn, c.first)
		b.wantEndOf(conn, c.end, rules.UnknownClient)
		b.wantOne(rules.Deny, rules.UnknownClient)
		b.wantNoTrace()
	}
}

// With strict_destination the original destination must be an address of the name.
func TestStrictDestination(t *testing.T) {
	t.Parallel()
	hello, get := string(helloFor(t, "a.example")), "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
	for _, c := range []struct {
		name, dst, pin, first string
		reason                rules.Reason
		end                   string
	}{
		{"TLS, at its address", "8.8.8.8:443", "", hello, 0, endsRelayed},
		{"TLS, at an address of before", "8.8.4.4:443", "8.8.4.4", hello, 0, endsRelayed},
		{"TLS, elsewhere", unlisted + ":443", "", hello, rules.DestinationMismatch, endsAlert},
		{"HTTP, elsewhere", unlisted + ":80", "", get, rules.DestinationMismatch, endsPage},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRedirectWorld(t, nil)
			b.policy("strict_destination = true\n" + redirectConfig)
			if c.pin != "" {
				b.pin(c.pin, "other.example", "a.example")
			}
			b.origin("8.8.8.8:443", echo)
			conn := b.to(c.dst)
			io.WriteString(conn, c.first)
			if c.end == endsRelayed {
				if _, err := io.ReadFull(conn, make([]byte, len(c.first))); err != nil {
					t.Error(err)
				}
				conn.Close()
				if r := b.wantOne(rules.Allow, 0); r.a.Mismatch {
					t.Error("mismatch on record")
				}
				return
			}
			b.wantEndOf(conn, c.end, c.reason)
			if r := b.wantOne(rules.Deny, c.reason); !r.a.Mismatch || len(r.a.Resolved) == 0 {
				t.Errorf("on record: mismatch %v, resolved %v", r.a.Mismatch, r.a.Resolved)
			}
			if len(b.dialed()) > 0 {
				t.Errorf("dialed %v", b.dialed())
			}
		})
	}
}

// ECH: the outer name is judged, unless ECH itself is denied.
func TestRedirectedECH(t *testing.T) {
	t.Parallel()
	u := utls.UClient(&proxytest.RecordConn{}, &utls.Config{ServerName: "a.example", OmitEmptyPsk: true}, utls.HelloChrome_131)
	if err := u.BuildHandshakeState(); err != nil {
		t.Fatal(err)
	}
	hello := proxytest.Records(u.HandshakeState.Hello.Raw, maxRecord)
	b := newRedirectWorld(t, nil)
	b.origin("8.8.8.8:443", echo)
	conn := b.to("8.8.8.8:443")
	conn.Write(hello)
	io.ReadFull(conn, make([]byte, len(hello)))
	if r := b.wantOne(rules.Allow, 0); !r.a.ECH {
		t.Error("ech is not on record")
	}

	b = newRedirectWorld(t, nil)
	b.policy("ech = \"deny\"\n" + redirectConfig)
	conn = b.to("8.8.8.8:443")
	conn.Write(hello)
	b.wantEndOf(conn, endsAlert, rules.ECHPresent)
	b.wantOne(rules.Deny, rules.ECHPresent)
	b.wantNoTrace()
}
