// Connections that TPROXY brought here: the same front end as for REDIRECT, and no way to a listener
// of sallyport itself.

package proxy

import (
	"io"
	"testing"

	"sallyport/rules"
)

// A connection is judged, connected and recorded as after REDIRECT. Only the source of the original
// destination differs.
func TestDivertedLikeRedirected(t *testing.T) {
	t.Parallel()
	whole, evil := string(helloFor(t, "a.example")), string(helloFor(t, "evil.example"))
	for _, c := range []struct {
		name, dst, first string
		reason           rules.Reason
		end, dialed      string
	}{
		{"SNI, at its address", "8.8.8.8:443", whole, 0, endsRelayed, "8.8.8.8:443"},
		{"forged SNI to an unlisted address", unlisted + ":443", whole, 0, endsRelayed, "8.8.8.8:443"},
		{"forged SNI to loopback", "127.0.0.1:443", whole, 0, endsRelayed, "8.8.8.8:443"},
		{"forged SNI to a private address, IPv6", "[fd00::7]:443", whole, 0, endsRelayed, "8.8.8.8:443"},
		{"forbidden SNI, at a permitted address", "8.8.8.8:443", evil, rules.NotListed, endsAlert, ""},
		{"permitted SNI, undocumented port", "8.8.8.8:22", whole, rules.PortNotListed, endsAlert, ""},
		{"no SNI", "8.8.8.8:443", string(helloFor(t, "")), rules.SNIMissing, endsAlert, ""},
		{"SSH on 443", "8.8.8.8:443", "SSH-2.0-OpenSSH_10.0\r\n", rules.NotTLS, endsReset, ""},
		{"a request for another host", "8.8.8.8:80", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", rules.NotListed, endsPage, ""},
		{"opaque to an unlisted address", unlisted + ":22", "SSH-2.0-x\r\n", rules.IPLiteral, endsReset, ""},
		{"opaque, pinned", "8.8.4.4:5000", "\x00\x01", 0, endsRelayed, "8.8.4.4:5000"},
		{"bound address, no name", "8.8.8.5:1433", "\x12\x01\x00\x2f", 0, endsRelayed, "8.8.8.5:1433"},
		{"every protocol", "8.8.8.7:64999", evil, 0, endsRelayed, "8.8.8.7:64999"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var records [2]record
			for i, b := range []*redirectWorld{newRedirectWorld(t, nil), newDivertedWorld(t)} {
				b.pin("8.8.4.4", "a.example")
				var o *origin
				if c.dialed != "" {
					o = b.origin(c.dialed, echo)
				}
				conn := b.to(c.dst)
				io.WriteString(conn, c.first)
				verdict := rules.Deny
				if c.end == endsRelayed {
					verdict = rules.Allow
					if _, err := io.ReadFull(conn, make([]byte, len(c.first))); err != nil {
						t.Error(err)
					}
					conn.CloseWrite()
				}
				b.wantEndOf(conn, c.end, c.reason)
				records[i] = b.wantOne(verdict, c.reason)
				b.idle()
				if o == nil {
					if len(b.dialed()) > 0 {
						t.Errorf("dialed %v", b.dialed())
					}
				} else if o.received() != c.first {
					t.Errorf("arrived %q", o.received())
				}
			}
			r, d := records[0].a, records[1].a
			if d.Original.String() != c.dst || d.Original != r.Original || d.Via != r.Via || d.Mismatch != r.Mismatch || d.ByAddress != r.ByAddress ||
				d.Shown != r.Shown || d.SNI != r.SNI || d.Host != r.Host || len(d.Pinned) != len(r.Pinned) || d.Detail != r.Detail {
				t.Errorf("on record\n%+v, after REDIRECT\n%+v", d, r)
			}
		})
	}
}

// A connection to a listener of sallyport itself is refused at once, whatever it would show: to the
// listener for TPROXY, and to every other one.
func TestDivertedToSallyport(t *testing.T) {
	t.Parallel()
	b := newDivertedWorld(t)
	for _, dst := range []string{b.addr.String(), b.http.String(), "127.0.0.1:9180"} {
		before := len(b.journal.decisions())
		conn := b.to(dst)
		_, sent := conn.Write(helloFor(t, "a.example"))
		if got, err := io.ReadAll(conn); len(got) > 0 || sent == nil && err == nil {
			t.Errorf("%s: got %q, %v, want a reset", dst, got, err)
		}
		b.eventually("a decision", func() bool { return len(b.journal.decisions()) == before+1 })
		if d := b.journal.decisions()[before]; d.d.Allowed() || d.d.Why() != rules.Self || d.a.Original.String() != dst {
			t.Errorf("%s: %v %v, %+v", dst, d.d.Verdict, d.d.Why(), d.a)
		}
	}
	b.wantNoTrace()
}
