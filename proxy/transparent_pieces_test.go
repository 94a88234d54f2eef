// Redirected ClientHellos in pieces: however a ClientHello is cut, by segment or by record,
// it has the verdict of the whole.

package proxy

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"

	utls "github.com/refraction-networking/utls"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// A cutting is a ClientHello as its pieces are sent.
type cutting struct {
	what   string
	name   string // the name in it
	pieces [][]byte
}

// cuttings cuts the ClientHello of a name at every step'th byte, by segments, by records, and
// finely by both.
func cuttings(name string, hello []byte, step int) (out []cutting) {
	msg := hello[recordHeader:]
	for i := 1; i < len(hello); i += step {
		out = append(out, cutting{"two segments", name, [][]byte{hello[:i], hello[i:]}})
	}
	for i := 1; i < len(msg); i += step {
		two := proxytest.Join(proxytest.Record(22, 3, msg[:i]), proxytest.Record(22, 3, msg[i:]))
		out = append(out, cutting{"two records", name, [][]byte{two}},
			cutting{"two records, cut within the second header", name, [][]byte{two[:recordHeader+i+2], two[recordHeader+i+2:]}})
	}
	one := proxytest.Records(msg, 1)
	return append(out,
		cutting{"a byte a record", name, [][]byte{one}},
		cutting{"a byte a segment", name, split(hello, 1)},
		cutting{"a byte a record and a segment", name, split(one, 1)},
		cutting{"records of 7 in segments of 11", name, split(proxytest.Records(msg, 7), 11)},
		cutting{"segments of IPv6's least MTU", name, split(hello, 1220)})
}

// send writes one piece on each connection in turn, so that pieces of all connections
// alternate.
func send(conns []*net.TCPConn, cs []cutting) {
	for more, i := true, 0; more; i++ {
		more = false
		for j, c := range cs {
			if i < len(c.pieces) {
				more = true
				if _, err := conns[j].Write(c.pieces[i]); err != nil {
					continue // refused already
				}
			}
		}
	}
}

func TestRedirectedHelloInPieces(t *testing.T) {
	t.Parallel()
	step := 1
	if testing.Short() {
		step = 97
	}
	chrome := func(name string) []byte {
		u := utls.UClient(&proxytest.RecordConn{}, &utls.Config{ServerName: name}, utls.HelloChrome_133) // post-quantum
		if err := u.BuildHandshakeState(); err != nil {
			t.Fatal(err)
		}
		return proxytest.Records(u.HandshakeState.Hello.Raw, maxRecord)
	}
	all := append(cuttings("a.example", chrome("a.example"), step), cuttings("evil.example", chrome("evil.example"), step)...)
	b := newRedirectWorld(t, nil)
	o := b.origin("8.8.8.8:443", func(conn *net.TCPConn, r io.Reader) {
		io.Copy(io.Discard, r)
		conn.Write([]byte("ok"))
	})
	elsewhere := b.origin(unlisted+":443", nil)
	b.inFleets(all, func(c cutting, conn *net.TCPConn) {
		conn.CloseWrite()
		want := "ok"
		if c.name != "a.example" {
			want = alert
		}
		if got, err := io.ReadAll(conn); string(got) != want || err != nil {
			t.Errorf("%s of %s: got %q, %v", c.what, c.name, got, err)
		}
	})
	b.wantVerdicts(all)
	b.idle()
	if arrived := o.received(); bytes.Contains([]byte(arrived), []byte("evil")) || elsewhere.connections() > 0 {
		t.Errorf("%d bytes arrived, %d connections elsewhere", len(arrived), elsewhere.connections())
	}
}

// inFleets sends cuttings to an unlisted address, over a few hundred connections at a time, and
// calls look for each of them.
func (b *redirectWorld) inFleets(all []cutting, look func(cutting, *net.TCPConn)) {
	for len(all) > 0 {
		cs := all[:min(200, len(all))]
		all = all[len(cs):]
		conns := make([]*net.TCPConn, len(cs))
		for i := range conns {
			conns[i] = b.to(unlisted + ":443")
			conns[i].SetNoDelay(true)
		}
		send(conns, cs)
		for i, c := range cs {
			look(c, conns[i])
			conns[i].Close()
		}
	}
}

// wantVerdicts checks that there is one decision for each flow, and the expected number of each
// kind.
func (b *redirectWorld) wantVerdicts(all []cutting) {
	b.t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, c := range all {
		want[c.name]++
	}
	b.eventually("every decision", func() bool { return len(b.journal.decisions()) >= len(all) })
	clients := map[netip.AddrPort]bool{}
	for _, r := range b.journal.decisions() {
		got[r.a.SNI.String()]++
		clients[r.a.Client] = true
		if allowed := r.a.SNI.String() == "a.example"; r.d.Allowed() != allowed || !allowed && r.d.Why() != rules.NotListed {
			b.t.Errorf("%s: %v %v", r.a.SNI, r.d.Verdict, r.d.Why())
		}
	}
	for n := range want {
		if got[n] != want[n] {
			b.t.Errorf("%d decisions about %q, want %d", got[n], n, want[n])
		}
	}
	if len(got) != len(want) {
		b.t.Errorf("decisions about %v", got)
	}
}

// The ClientHellos of all clients that uTLS imitates are read correctly, whole and in one-byte
// records.
func TestRedirectedParrots(t *testing.T) {
	t.Parallel()
	var all []cutting
	for _, id := range proxytest.Parrots() {
		for _, name := range []string{"a.example", "evil.example"} {
			u := utls.UClient(&proxytest.RecordConn{}, &utls.Config{ServerName: name, OmitEmptyPsk: true}, id)
			if err := u.BuildHandshakeState(); err != nil {
				t.Errorf("%s: uTLS cannot build it: %v", id.Str(), err)
				continue
			}
			msg := u.HandshakeState.Hello.Raw
			all = append(all, cutting{id.Str(), name, [][]byte{proxytest.Records(msg, maxRecord)}},
				cutting{id.Str() + ", a byte a record", name, [][]byte{proxytest.Records(msg, 1)}})
		}
	}
	b := newRedirectWorld(t, nil)
	b.origin("8.8.8.8:443", func(conn *net.TCPConn, r io.Reader) {
		io.Copy(io.Discard, r)
		conn.Write([]byte("ok"))
	})
	b.inFleets(all, func(c cutting, conn *net.TCPConn) {
		conn.CloseWrite()
		want := "ok"
		if c.name != "a.example" {
			want = alert
		}
		if got, err := io.ReadAll(conn); string(got) != want || err != nil {
			t.Errorf("%s of %s: got %q, %v", c.what, c.name, got, err)
		}
	})
	b.wantVerdicts(all)
}
