//go:build linux

// Nameless: redirected flows that show no name reach an address if a rule lists it,
// or if a permitted name resolves to it, before and after a restart.

package e2e

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRedirectedFlowsWithoutAName(t *testing.T) {
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		s.catch(t, fleet)
		s.become(t, named("sep-manager"))
		for _, a := range addrs("10.20.32.3", "fd20:32::3") {
			if got := s.listen(t, netip.AddrPortFrom(a, 22)); got != banner {
				t.Errorf("a server that speaks first said %q", got)
			}
		}
		s.namelessByPin(t)
		s.g.signal(t, syscall.SIGKILL)
		s.g.waitExit(t, 5*time.Second)
		s.run(t)
		s.namelessByPin(t) // no client has sent a query since the start
	})
}

// listen connects, waits for the server's first bytes, and returns them.
func (s *scene) listen(t *testing.T, dst netip.AddrPort) string {
	t.Helper()
	c, err := s.clients.dial("tcp", "", dst.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(4 * time.Second))
	b, _ := io.ReadAll(c)
	return string(b)
}

// namelessByPin sends bytes of no known protocol to a permitted name's address.
// They arrive for the client whose rule has the name, and for no other client.
func (s *scene) namelessByPin(t *testing.T) {
	t.Helper()
	const bytes = "\x02neither TLS nor HTTP\r\n\r\n"
	for _, a := range s.addressesOf("remote0.scloud.sangfor.com") {
		dst := netip.AddrPortFrom(a, 5000)
		s.become(t, named("cc"))
		eventually(t, 30*time.Second, "bytes to a permitted name's address", func() error {
			if r := stream(dst, bytes)(t, s); !strings.Contains(r.stdout, "400 Bad Request") {
				return errors.New(r.String())
			}
			return nil
		})
		mark, records := s.rec.mark(t), s.g.journal().mark()
		stream(netip.AddrPortFrom(a, 5001), bytes)(t, s)
		stream(netip.AddrPortFrom(a.Prev(), 5000), bytes)(t, s)
		s.become(t, fleet[0])
		stream(dst, bytes)(t, s)
		s.g.journal().mustDeny(t, records, denial{via: "transparent", client: fleet[0].name, port: 5000, reason: "ip_literal"})
		try{}.check(t, s, s.rec.everything(t, mark))
	}
}
