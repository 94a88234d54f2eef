//go:build linux

// Kill: after the process is killed under load, no new flow and no forbidden byte
// gets out. After a new start it serves within two seconds.

package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestKilledNothingGetsOut(t *testing.T) {
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		s.catch(t, fleet)
		w := s.work(t)
		eventually(t, 30*time.Second, "transfers under load", func() error { return w.more(0) })
		for range 2 {
			s.killAndWatch(t, w)
			start := time.Now()
			s.g.start(t, "run", "--config", "sallyport.toml")
			before := w.done.Load()
			eventually(t, 30*time.Second, "transfers after the restart", func() error { return w.more(before) })
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("back after %v, want 2s", took)
			}
		}
		w.stop()
		for _, p := range s.rec.everything(t, 0) {
			if p.dst.Addr() == elsewhere[0] || p.dst.Addr() == elsewhere[1] || p.dst.Addr() == s.outsideAddrs()[0] {
				t.Fatalf("in all that load and death something forbidden arrived: %v", p)
			}
		}
	})
}

// killAndWatch kills the process and checks the packets that arrive while it is
// dead. Only ends of permitted connections may arrive.
func (s *scene) killAndWatch(t *testing.T, w *workload) {
	t.Helper()
	s.g.signal(t, syscall.SIGKILL)
	s.g.waitExit(t, 5*time.Second)
	mark, tried := s.rec.mark(t), w.tried.Load()
	time.Sleep(700 * time.Millisecond) // the time without the process
	if w.tried.Load() < tried+20 {
		t.Errorf("%d tries while sallyport was dead: the load was none", w.tried.Load()-tried)
	}
	places := make(map[netip.AddrPort]bool)
	for _, a := range s.addressesOf("license.sangfor.com") {
		places[netip.AddrPortFrom(a, 443)] = true
	}
	for _, p := range s.rec.everything(t, mark) {
		tail := p.proto == "tcp" && !p.syn && (places[p.dst] || p.dst.Port() == 53)
		if !tail && !(try{}.permits(s, p) && p.query == "") {
			t.Errorf("while sallyport was dead there arrived: %v", p)
		}
	}
}

// workload is a steady load of clients: permitted transfers, forbidden
// transfers, datagrams and queries.
type workload struct {
	s           *scene
	done, tried atomic.Int64 // permitted transfers that ended well; tries of all kinds
	ended       chan struct{}
	all         sync.WaitGroup
	once        sync.Once
}

func (s *scene) work(t *testing.T) *workload {
	w := &workload{s: s, ended: make(chan struct{})}
	license := s.addressesOf("license.sangfor.com")
	for _, a := range license {
		for range 2 {
			w.all.Go(w.repeat(func() { w.transfer(netip.AddrPortFrom(a, 443), "license.sangfor.com") }))
		}
	}
	for _, a := range elsewhere {
		w.all.Go(w.repeat(func() { w.transfer(netip.AddrPortFrom(a, 443), "evil.example") }))
		w.all.Go(w.repeat(func() { w.transfer(netip.AddrPortFrom(a, 8443), "license.sangfor.com") }))
		w.all.Go(w.repeat(func() { _, _ = s.exchange(netip.AddrPortFrom(a, 9999), "exfiltration", 5*time.Millisecond) }))
	}
	w.all.Go(w.repeat(func() {
		query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04evil\x07example\x00\x00\x01\x00\x01"
		_, _ = s.exchange(netip.AddrPortFrom(s.outsideAddrs()[0], 53), query, 20*time.Millisecond)
	}))
	t.Cleanup(w.stop)
	return w
}

func (w *workload) stop() {
	w.once.Do(func() { close(w.ended) })
	w.all.Wait()
}

func (w *workload) repeat(f func()) func() {
	return func() {
		for {
			select {
			case <-w.ended:
				return
			case <-time.After(5 * time.Millisecond):
				f()
				w.tried.Add(1)
			}
		}
	}
}

// more returns nil if more permitted transfers than that number have ended well.
func (w *workload) more(than int64) error {
	if w.done.Load() > than {
		return nil
	}
	return errors.New("none")
}

// transfer makes one request over TLS to an address. It accepts any server that
// answers.
func (w *workload) transfer(dst netip.AddrPort, name string) {
	c, err := w.s.clients.dialBriefly(dst.String())
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if err := w.request(c, name); err == nil {
		w.done.Add(1)
	}
}

func (w *workload) request(c net.Conn, name string) error {
	secure := tls.Client(c, &tls.Config{ServerName: name, RootCAs: w.s.ca.pool})
	if _, err := fmt.Fprintf(secure, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name); err != nil {
		return err
	}
	b := make([]byte, 4096)
	n, err := secure.Read(b)
	if !strings.Contains(string(b[:n]), "200 OK") {
		return errorf("%q %v", b[:n], err)
	}
	return nil
}
