// Dial tests: Happy Eyeballs over granted addresses, and the last check of the socket.

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

func addrs(texts ...string) (as []netip.Addr) {
	for _, s := range texts {
		as = append(as, netip.MustParseAddr(s))
	}
	return as
}

func TestInterleave(t *testing.T) {
	t.Parallel()
	got := interleave(addrs("8.8.8.1", "8.8.8.2", "8.8.8.3", "2001:db8::1", "2001:db8::2"))
	if want := addrs("2001:db8::1", "8.8.8.1", "2001:db8::2", "8.8.8.2", "8.8.8.3"); !slices.Equal(got, want) {
		t.Errorf("order %v", got)
	}
}

func TestRace(t *testing.T) {
	t.Parallel()
	type behaviour struct {
		after time.Duration
		err   error
	}
	hangs, refuses := behaviour{after: time.Hour}, behaviour{err: syscall.ECONNREFUSED}
	works, noRoute := behaviour{}, behaviour{err: syscall.ENETUNREACH}
	for _, c := range []struct {
		name   string
		addrs  map[string]behaviour
		winner string
		took   time.Duration
		cause  rules.Cause
	}{
		{"the first answers", map[string]behaviour{"2001:db8::1": works, "8.8.8.1": works}, "2001:db8::1", 0, 0},
		{"the first hangs", map[string]behaviour{"2001:db8::1": hangs, "8.8.8.1": works}, "8.8.8.1", stagger, 0},
		{"the first refuses", map[string]behaviour{"2001:db8::1": refuses, "8.8.8.1": works}, "8.8.8.1", 0, 0},
		{"the first is slow, the second slower", map[string]behaviour{"2001:db8::1": {after: 2 * stagger}, "8.8.8.1": {after: 2 * stagger}}, "2001:db8::1", 2 * stagger, 0},
		{"a family without a route", map[string]behaviour{"2001:db8::1": noRoute, "8.8.8.1": works}, "8.8.8.1", 0, 0},
		{"a family without a route, the other refuses", map[string]behaviour{"2001:db8::1": noRoute, "8.8.8.1": refuses}, "", 0, rules.DialRefused},
		{"a family without a route, the other hangs", map[string]behaviour{"2001:db8::1": noRoute, "8.8.8.1": hangs}, "", 10 * time.Second, rules.DialTimedOut},
		{"no route at all", map[string]behaviour{"2001:db8::1": noRoute, "8.8.8.1": noRoute}, "", 0, rules.DialUnreachable},
		{"many addresses of a dead family", map[string]behaviour{"2001:db8::1": hangs, "2001:db8::2": hangs, "2001:db8::3": hangs, "8.8.8.1": works}, "8.8.8.1", stagger, 0},
		{"all refuse", map[string]behaviour{"2001:db8::1": refuses, "8.8.8.1": refuses}, "", 0, rules.DialRefused},
		{"all hang", map[string]behaviour{"2001:db8::1": hangs, "8.8.8.1": hangs}, "", 10 * time.Second, rules.DialTimedOut},
		{"one hangs alone", map[string]behaviour{"8.8.8.1": hangs}, "", 10 * time.Second, rules.DialTimedOut},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conns := map[*net.TCPConn]string{}
				p := New(Config{Connect: func(ctx context.Context, a netip.AddrPort) (*net.TCPConn, error) {
					b := c.addrs[a.Addr().String()]
					select {
					case <-time.After(b.after):
					case <-ctx.Done():
						return nil, ctx.Err()
					}
					if b.err != nil {
						return nil, b.err
					}
					conn := new(net.TCPConn)
					conns[conn] = a.Addr().String()
					return conn, nil
				}})
				var list []netip.Addr
				for a := range c.addrs {
					list = append(list, netip.MustParseAddr(a))
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				conn, err := p.race(ctx, list, 443)
				if took := time.Since(start); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
				if c.winner == "" {
					if err == nil || classify(err).cause != c.cause {
						t.Errorf("error %v, want %v", err, c.cause)
					}
				} else if conns[conn] != c.winner {
					t.Errorf("winner %q, %v", conns[conn], err)
				}
				synctest.Wait() // no goroutine is left
			})
		})
	}
}

// A connection that comes after another has won is closed unused.
func TestRaceClosesTheLate(t *testing.T) {
	t.Parallel()
	late, peer := proxytest.TCPPair(t)
	won, _ := proxytest.TCPPair(t)
	returned := make(chan struct{})
	p := New(Config{Connect: func(ctx context.Context, a netip.AddrPort) (*net.TCPConn, error) {
		if a.Addr().Is4() {
			return won, nil
		}
		<-returned // ignores its context
		return late, nil
	}})
	conn, err := p.race(t.Context(), addrs("2001:db8::1", "8.8.8.1"), 443)
	close(returned)
	if conn != won || err != nil {
		t.Errorf("won %v, %v", conn, err)
	}
	peer.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := peer.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("late connection: %d bytes, %v", n, err)
	}
}

// The connected socket is checked: its peer must be granted.
func TestSocketIsVerified(t *testing.T) {
	t.Parallel()
	for name, remote := range map[string]string{
		"another port":      "8.8.8.8:22",
		"a private address": "10.0.0.1:443",
		"nothing":           "",
	} {
		w := newWorld(t, nil)
		w.origin("8.8.8.8:443", nil)
		w.p.remote = func(*net.TCPConn) netip.AddrPort {
			ap, _ := netip.ParseAddrPort(remote)
			return ap
		}
		conn, resp, _ := w.connectTo("a.example:443", "")
		if resp.StatusCode != 403 {
			t.Errorf("%s: %s", name, resp.Status)
		}
		conn.Close() // otherwise the proxy waits before it closes
		w.idle()
		for _, r := range w.journal.decisions() {
			if r.d.Allowed() {
				t.Errorf("%s: allowed", name)
			}
		}
	}
}

func TestConnectTCPGoesWhereItIsTold(t *testing.T) {
	t.Setenv("GODEBUG", "multipathtcp=1") // the environment asks for MPTCP, which must not be used
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := connectTCP(t.Context(), unmapped(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if peerOf(conn) != unmapped(l.Addr()) {
		t.Errorf("connected to %v", peerOf(conn))
	}
	if mp, _ := conn.MultipathTCP(); mp {
		t.Error("MPTCP")
	}
	l.Close()
	if _, err := connectTCP(t.Context(), unmapped(l.Addr())); !errors.Is(err, syscall.ECONNREFUSED) || classify(err).status() != 502 {
		t.Errorf("error %v", err)
	}
}

// Without a policy, and with the zero Config, nothing is connected.
func TestNoPolicyReachesNothing(t *testing.T) {
	t.Parallel()
	p := New(Config{Lookup: func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) {
		return addrs("8.8.8.8"), nil
	},
		Connect: func(context.Context, netip.AddrPort) (*net.TCPConn, error) {
			t.Error("connected")
			return nil, errors.New("no")
		}})
	n, _ := rules.ParseName("a.example")
	_, _, err := p.dial(t.Context(), rules.Decision{Verdict: rules.Allow}, rules.Attempt{Authority: n, Dest: netip.MustParseAddrPort("0.0.0.0:443")}, false)
	var denied *deniedError
	if !errors.As(err, &denied) || denied.d.Allowed() {
		t.Errorf("error %v", err)
	}
}
