//go:build linux

// Host under load: restarts, kills and hangs while clients come all the time.

package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// restart restarts sallyport under load. No client is refused, and no query is
// lost.
func (h *host) restart(t *testing.T) {
	t.Helper()
	block := h.page.block(t, "systemctl restart sallyport")
	h.underLoad(t, func() {
		for range 5 {
			pid := h.show(t, "sallyport", "MainPID")
			h.must(t, block)
			if now := h.show(t, "sallyport", "MainPID"); now == pid || now == "0" {
				t.Errorf("it was not restarted: %s, %s", pid, now)
			}
		}
	})
}

// underLoad runs f while new connections and queries begin all the time. It fails
// when one of them is refused, reset, lost or answered wrongly.
func (h *host) underLoad(t *testing.T, f func()) {
	t.Helper()
	var all sync.WaitGroup
	var good atomic.Int64
	stop, failures := make(chan struct{}), make(chan error, 64)
	worker := func(f func() error) {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				if err := f(); err == nil {
					good.Add(1)
				} else {
					select {
					case failures <- err:
					default:
					}
				}
			}
		})
	}
	for _, a := range h.s.addressesOf("license.sangfor.com") {
		worker(func() error { return h.s.fetch(netip.AddrPortFrom(a, 443), "license.sangfor.com") })
		worker(func() error { return h.s.fetch(netip.AddrPortFrom(a, 443), "license.sangfor.com") })
	}
	worker(func() error { return h.s.ask("license.sangfor.com") })
	enough := func(more int64) {
		before := good.Load()
		eventually(t, 30*time.Second, "transfers under load", func() error {
			if n := good.Load() - before; n < more {
				return errorf("%d", n)
			}
			return nil
		})
	}
	enough(100)
	f()
	enough(100)
	close(stop)
	all.Wait()
	close(failures)
	for err := range failures {
		t.Errorf("under load: %v", err)
	}
	t.Logf("%d connections and queries under load", good.Load())
}

// fetch makes one request over a new connection, with a long timeout.
func (s *scene) fetch(dst netip.AddrPort, name string) error {
	d := net.Dialer{Timeout: 20 * time.Second}
	var c net.Conn
	if err := s.clients.do(func() (err error) { c, err = d.Dial("tcp", dst.String()); return err }); err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	secure := tls.Client(c, &tls.Config{ServerName: name, RootCAs: s.ca.pool})
	if _, err := fmt.Fprintf(secure, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name); err != nil {
		return err
	}
	b := make([]byte, 4096)
	if n, err := secure.Read(b); !strings.Contains(string(b[:n]), "200 OK") {
		return errorf("%v: %q %w", dst, b[:n], err)
	}
	return nil
}

// ask sends one query to a resolver that does not know about sallyport, with a long
// timeout.
func (s *scene) ask(name string) error {
	c, err := s.clients.dial("udp", "", outsideDNS4+":53")
	if err != nil {
		return err
	}
	defer c.Close()
	q := new(dns.Msg)
	q.SetQuestion(name+".", dns.TypeA)
	answer, _, err := (&dns.Client{Timeout: 20 * time.Second}).ExchangeWithConn(q, &dns.Conn{Conn: c})
	if err != nil || len(answer.Answer) == 0 {
		return errorf("query: %v %w", answer, err)
	}
	return nil
}

// killed kills the gateway under load of permitted and forbidden tries. No
// forbidden packet gets out, and the gateway starts again by itself.
func (h *host) killed(t *testing.T) {
	t.Helper()
	mark := h.s.rec.mark(t)
	w := h.s.work(t)
	eventually(t, 30*time.Second, "transfers under load", func() error { return w.more(0) })
	restarts := h.show(t, "sallyport", "NRestarts")
	h.must(t, "systemctl kill --signal=KILL sallyport")
	eventually(t, 30*time.Second, "it is started again", func() error {
		if n := h.show(t, "sallyport", "NRestarts"); n == restarts || h.show(t, "sallyport", "ActiveState") != "active" {
			return errorf("%s restarts", n)
		}
		return nil
	})
	before := w.done.Load()
	eventually(t, 30*time.Second, "transfers after the kill", func() error { return w.more(before) })
	w.stop()
	h.nothingForbidden(t, mark)
}

// hung stops the process without ending it. systemd misses its watchdog
// notification.
func (h *host) hung(t *testing.T) {
	t.Helper()
	const drop = "/run/systemd/system/sallyport.service.d/hurry.conf"
	h.must(t, "mkdir -p "+filepath.Dir(drop)+"\nprintf '[Service]\\nWatchdogSec=3s\\nTimeoutAbortSec=1s\\n' >"+drop+
		"\nsystemctl daemon-reload\nsystemctl restart sallyport")
	restarts, err := strconv.Atoi(h.show(t, "sallyport", "NRestarts"))
	if err != nil {
		t.Fatal(err)
	}
	h.must(t, "kill -STOP $(systemctl show --value -p MainPID sallyport)")
	eventually(t, 30*time.Second, "systemd starts it again", func() error {
		if n := h.show(t, "sallyport", "NRestarts"); n != strconv.Itoa(restarts+1) || h.show(t, "sallyport", "ActiveState") != "active" {
			return errorf("%s restarts", n)
		}
		return nil
	})
	if err := h.s.fetch(netip.AddrPortFrom(h.s.addressesOf("license.sangfor.com")[0], 443), "license.sangfor.com"); err != nil {
		t.Error(err)
	}
	h.must(t, "rm "+drop+"\nsystemctl daemon-reload\nsystemctl restart sallyport")
}
