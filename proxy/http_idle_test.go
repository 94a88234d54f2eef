// Tests of the connections that wait for another request: whose requests they carry, and what they
// never carry.

package proxy

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

const (
	getPlainA = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
	postA     = "POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi"
)

// exchangeFrom connects from another source address.
func (w *world) exchangeFrom(source, text string) *exchange {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := d.Dial("tcp", w.http.String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	e := w.exchangeOn(conn.(*net.TCPConn))
	e.send(text)
	return e
}

// waits waits until a number of connections wait for another request.
func (w *world) waits(n int) {
	w.t.Helper()
	w.eventually("connections that wait", func() bool {
		w.p.idle.mu.Lock()
		defer w.p.idle.mu.Unlock()
		return w.p.idle.held == n
	})
}

// A client's connections share what waits for a name. Another source address, and another name of
// the same address, have connections of their own.
func TestIdleConnectionsAreOfOneClientAndName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:80", answering(okAnswer))
	for range 3 {
		e := w.exchange(getPlainA)
		e.want(200, "")
		e.conn.Close()
		w.waits(1)
	}
	if o.connections() != 1 || len(w.lookedUp()) != 1 {
		t.Errorf("%d connections, %d look-ups for one client and name", o.connections(), len(w.lookedUp()))
	}
	w.exchangeFrom("127.0.0.2", getPlainA).want(200, "")
	if w.waits(2); o.connections() != 2 {
		t.Errorf("%d connections of two clients", o.connections())
	}
	w.exchange("GET http://mixed.example/ HTTP/1.1\r\nHost: mixed.example\r\n\r\n").want(200, "") // the same address
	w.waits(3)
	w.exchange("GET http://a.example:5000/ HTTP/1.1\r\nHost: a.example:5000\r\n\r\n").want(502, "")
	if o.connections() != 3 {
		t.Errorf("%d connections", o.connections())
	}
	if ds, ends := w.journal.decisions(), w.journal.closes(); len(ds) != 5 || len(ends) != 6 || ds[0].a.Flow == ds[1].a.Flow {
		t.Errorf("%d decisions, %d ends", len(ds), len(ends))
	}
}

// The owner of a connection is one client, at one address, with one proven identity, in one
// generation.
func TestIdleOwners(t *testing.T) {
	t.Parallel()
	client, other := &rules.Client{Name: "a"}, &rules.Client{Name: "b"}
	g := func(change func(*grant)) idleOwner {
		one := &grant{a: rules.Attempt{Generation: nil, Client: netip.MustParseAddrPort("192.0.2.1:1")}, d: rules.Decision{Client: client}}
		change(one)
		return one.ownerOf()
	}
	base := g(func(*grant) {})
	if base != g(func(o *grant) { o.a.Client = netip.MustParseAddrPort("192.0.2.1:2") }) {
		t.Error("the port of a client makes it another one")
	}
	for name, o := range map[string]idleOwner{
		"generation":  g(func(o *grant) { o.a.Generation = &rules.Generation{} }),
		"address":     g(func(o *grant) { o.a.Client = netip.MustParseAddrPort("192.0.2.2:1") }),
		"client":      g(func(o *grant) { o.d.Client = other }),
		"user":        g(func(o *grant) { o.a.Identity = &rules.Identity{User: "u"} }),
		"certificate": g(func(o *grant) { o.a.Identity = &rules.Identity{Certificate: []string{"u"}} }),
	} {
		if o == base {
			t.Errorf("another %s is the same owner", name)
		}
	}
}

// What a destination sends without a request is never the answer to the next one: neither what
// comes with an answer nor what comes later.
func TestIdleConnectionsBringNoOldAnswer(t *testing.T) {
	t.Parallel()
	const forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
	for _, c := range []struct {
		name  string
		later bool
	}{{"with the answer", false}, {"later", true}} {
		w := newWorld(t, nil)
		sent := make(chan struct{}, 9)
		o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
			r.Read(make([]byte, 4096))
			if c.later {
				io.WriteString(conn, okAnswer)
				w.waits(1)
				io.WriteString(conn, forged)
			} else {
				io.WriteString(conn, okAnswer+forged)
			}
			sent <- struct{}{}
			io.Copy(io.Discard, r)
		})
		for n := range 3 {
			e := w.exchange(getPlainA)
			if _, body := e.want(200, ""); body != "ok" {
				t.Fatalf("%s: %q", c.name, body)
			}
			<-sent
			if e.send(postA); o.connections() > 2*n+2 {
				t.Errorf("%s: %d connections", c.name, o.connections())
			}
			if _, body := e.want(200, ""); body != "ok" {
				t.Fatalf("%s, the same session: %q", c.name, body)
			}
			<-sent
			e.conn.Close()
		}
	}
}

// A destination that closes a connection that waits costs no request, whatever its method.
func TestIdleConnectionsThatEndAreNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	closed := make(chan struct{}, 9)
	o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		r.Read(make([]byte, 4096))
		io.WriteString(conn, okAnswer)
		w.waits(1)
		conn.Close()
		closed <- struct{}{}
	})
	for n, text := range []string{getPlainA, postA, postA} {
		w.exchange(text).want(200, "")
		if <-closed; o.connections() != n+1 {
			t.Errorf("%d connections for %d requests", o.connections(), n+1)
		}
	}
}

// A login that counts for the whole connection, such as NTLM, keeps the connection in its session.
func TestIdleConnectionsWithALogin(t *testing.T) {
	t.Parallel()
	for login, bound := range map[string]bool{"Basic eDp5": false, "Bearer x": false, "NTLM TlRM": true, "negotiate YII": true, "Other": true} {
		w := newWorld(t, nil)
		o := w.origin("8.8.8.8:80", answering(okAnswer))
		text := strings.Replace(getPlainA, "\r\n\r\n", "\r\nAuthorization: "+login+"\r\n\r\n", 1)
		e := w.exchange(text)
		e.want(200, "")
		if e.send(text); o.connections() != 1 {
			t.Errorf("%s: %d connections of one session", login, o.connections())
		}
		e.want(200, "")
		w.exchange(getPlainA).want(200, "")
		if got := o.connections() == 2; got != bound {
			t.Errorf("%s: %d connections of two sessions", login, o.connections())
		}
	}
}

// A tunnel, and a redirected connection, share nothing; each keeps at most two connections.
func TestIdleConnectionsOfATunnel(t *testing.T) {
	t.Parallel()
	for _, way := range plainWays[1:] {
		b := newRedirectWorld(t, nil)
		port := "80"
		if strings.Contains(way.name, "port") {
			port = "5000"
		}
		o := b.origin("8.8.8.8:"+port, answering(okAnswer))
		text := "GET / HTTP/1.1\r\nHost: a.example:" + port + "\r\n\r\n"
		first, second := way.open(b), way.open(b)
		for range 2 {
			for _, e := range []*exchange{first, second} {
				e.send(text)
				e.want(200, "")
			}
		}
		if b.waits(0); o.connections() != 2 {
			t.Errorf("%s: %d connections", way.name, o.connections())
		}
	}
}
