// Watchdog: hanging readers are found, and queries for the next process are
// left for it.

package dnsfilter

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// exchanged sends one query and demands an answer with an address.
func (s *serving) exchanged(network string) {
	s.t.Helper()
	c := dns.Client{Net: network, Timeout: 10 * time.Second}
	m, _, err := c.Exchange(question("a.example.", dns.TypeA), s.addr)
	if err != nil || len(m.Answer) != 1 {
		s.t.Errorf("%s: %v, %v", network, m, err)
	}
}

// TestAlive asserts that Alive disturbs no reader, with one socket for all
// readers and with a socket for each.
func TestAlive(t *testing.T) {
	for _, sockets := range []int{1, 3} {
		s := serve(t, sockets, nil, "a.example")
		stop, asked := make(chan struct{}), make(chan error)
		go func() {
			for {
				select {
				case <-stop:
					asked <- nil
					return
				default:
				}
				if err := s.Alive(t.Context()); err != nil {
					asked <- err
					return
				}
			}
		}()
		for range 50 {
			s.exchanged("udp")
			s.exchanged("tcp")
		}
		close(stop)
		if err := <-asked; err != nil {
			t.Errorf("%d sockets: %v", sockets, err)
		}
	}
}

// TestAliveFindsAHang asserts that Alive names a socket whose readers all hang.
func TestAliveFindsAHang(t *testing.T) {
	stuck := make(chan struct{})
	s := serve(t, 3, func(c *setup) {
		decide := c.Gate
		c.Gate = gateFunc(func(a rules.Attempt) rules.Decision {
			if strings.HasPrefix(a.Authority.String(), "stuck") {
				<-stuck
			}
			return decide.Decide(a)
		})
	}, "a.example")
	udp, err := net.Dial("udp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	udp.Write(packed(t, question("stuck.example.", dns.TypeA)))
	deadline := time.Now().Add(10 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := s.Alive(ctx)
		cancel()
		if err != nil && strings.Contains(err.Error(), "no goroutine reads udp "+s.addr) {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("sockets that are read are named, too: %v", err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a socket whose readers hang is alive: %v", err)
		}
	}
	close(stuck)
	if err := s.Alive(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFirstQueryAfterTheEnd asserts that an accepted connection gets the answer
// to its first query, even after the end of Serve's context.
func TestFirstQueryAfterTheEnd(t *testing.T) {
	s := serve(t, 1, nil, "a.example")
	conn := s.dial()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if r := s.running.Load(); r != nil {
			r.mu.Lock()
			n := len(r.conns)
			r.mu.Unlock()
			if n == 1 {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection was not accepted")
		}
	}
	s.stop()
	s.tcpClosed()
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(question("a.example.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if m, err := c.ReadMsg(); err != nil || len(m.Answer) != 1 {
		t.Errorf("%v, %v", m, err)
	}
}

// tcpClosed waits until no listener accepts.
func (s *serving) tcpClosed() {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return
		}
		c.Close()
	}
	s.t.Fatal("still accepting")
}

// gateFunc is a Gate that is one function.
type gateFunc func(rules.Attempt) rules.Decision

func (f gateFunc) Decide(a rules.Attempt) rules.Decision { return f(a) }

func (f gateFunc) Preview(a rules.Attempt) rules.Decision { return f(a) }

// slowToWake is a socket that removes its first deadline late. In the call that
// removes it, the socket closes begins and waits until wait is closed. Then it
// removes the deadline and closes gone.
type slowToWake struct {
	*net.UDPConn
	begins, wait, gone chan struct{}
	once               sync.Once
	past               chan struct{} // has room for one value, sent when a deadline was set
}

func (c *slowToWake) SetReadDeadline(at time.Time) error {
	if at.IsZero() {
		first := false
		c.once.Do(func() { first = true; close(c.begins); <-c.wait })
		if first {
			defer close(c.gone)
		}
		return c.UDPConn.SetReadDeadline(at)
	}
	err := c.UDPConn.SetReadDeadline(at)
	select {
	case c.past <- struct{}{}:
	default:
	}
	return err
}

// TestAliveAtTheEnd asserts that Alive does not undo the end of Serve, even for
// a reader that was busy.
func TestAliveAtTheEnd(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // one socket has as many readers
	busy, release := make(chan struct{}), make(chan struct{})
	b := newHarness(t, func(c *setup) {
		decide := c.Gate
		c.Now = time.Now
		c.Gate = gateFunc(func(a rules.Attempt) rules.Decision {
			close(busy)
			<-release
			return decide.Decide(a)
		})
	}, "a.example")
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	pc := &slowToWake{UDPConn: udp, begins: make(chan struct{}), wait: make(chan struct{}), gone: make(chan struct{}), past: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, []net.PacketConn{pc}, nil) }()
	client, err := net.Dial("udp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.Write(packed(t, question("stuck.example.", dns.TypeA)))
	<-busy // one reader
	for b.running.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := b.Alive(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-pc.begins // the other one
	select {
	case <-pc.past: // set by Alive
	default:
	}
	stop()
	<-pc.past // set by the end of Serve
	close(pc.wait)
	<-pc.gone
	close(release)
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("a reader goes on for good")
		udp.Close()
		<-done
	}
}
