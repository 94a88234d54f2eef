//go:build linux

// TPROXY: what differs from REDIRECT: the capability, the routes, and a connection
// straight to the listener.

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

// sallyport gives its capability up when the sockets are open, and reports that. Without
// the routes it is not ready, and nothing gets out.
func TestTPROXYPrivilegesAndRoutes(t *testing.T) {
	need(t, "curl")
	s := newScene(t, "tproxy")
	s.catch(t, fleet)
	s.mustHaveCapabilities(t, "0000000000000000")
	if code, body, err := s.g.admin("/readyz"); code != 200 ||
		lacks(body, "hardening: capabilities on: none is left; the raw sockets for the replies of [listen] tproxy stay open", "landlock_files on", "landlock_tcp_bind on", "landlock_scopes on", "no_new_privs on") != nil {
		t.Errorf("/readyz: %d %v\n%s", code, err, body)
	}
	license := pick(s.book.of("license.sangfor.com"), false)
	fetch := curlTo(license, "https://license.sangfor.com/")
	if r := fetch(t, s); !strings.Contains(r.stdout, "origin") {
		t.Errorf("with the routes: %v", r)
	}
	s.host.ip(t, "rule del priority 10")
	r := s.host.run(t, s.g.dir, "", builtBinary(t), "healthcheck", "--ready", "--config", "sallyport.toml")
	if r.code == 0 || !strings.Contains(r.all(), "not ready: tproxy: no IPv4 connection arrives, because the routes for TPROXY are missing: sallyport nft --routes --config sallyport.toml | sh") {
		t.Errorf("without the rule: %v", r)
	}
	mark := s.rec.mark(t)
	if r := curlTo(license, "https://license.sangfor.com/", "--max-time", "1")(t, s); r.code == 0 {
		t.Errorf("without the rule: %v", r)
	}
	try{}.check(t, s, s.rec.everything(t, mark))
	if r := s.host.run(t, s.g.dir, s.ruleset(t, "--routes"), "sh"); r.code != 0 {
		t.Fatalf("%v", r)
	}
	s.g.waitReady(t)
	if r := fetch(t, s); !strings.Contains(r.stdout, "origin") {
		t.Errorf("with the routes again: %v", r)
	}
}

// Without the capability sallyport does not start, and the error has the cure.
func TestTPROXYWithoutCapability(t *testing.T) {
	s := newScene(t, "gateway") // which gives no capability
	s.g = newGateway(t, s.host)
	s.g.uid = sallyportUser
	s.g.configure(t, configurationOf(redirecting("tproxy"), fleet))
	s.g.start(t, "run", "--config", "sallyport.toml")
	s.g.waitExit(t, longestWait)
	if err := lacks(s.g.out.String(), "cannot listen on tcp 127.0.0.1:3130 for tproxy: operation not permitted: TPROXY needs CAP_NET_RAW and nothing else: AmbientCapabilities=CAP_NET_RAW in the unit"); err != nil || s.g.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit %d: %v", s.g.cmd.ProcessState.ExitCode(), err)
	}
}

// A client that connects to the listener itself gets a reset and a record, and reaches
// nothing: at the address of the gateway that it sees, and at the other one.
func TestTPROXYStraightToTheListener(t *testing.T) {
	s := newScene(t, "tproxy")
	s.catchWith(t, nil, nil, strings.Replace(configurationOf(redirecting(s.mode), fleet), `"127.0.0.1:3130", "[::1]:3130"`, `"[::]:3130"`, 1))
	for _, to := range []string{gateway4, gateway6, outside4} {
		dst := netip.AddrPortFrom(netip.MustParseAddr(to), 3130)
		mark, records := s.rec.mark(t), s.g.journal().mark()
		from := fleet[0].v4()
		if dst.Addr().Is6() { // on the link another source would be chosen
			from = fleet[0].v6()
		}
		c, err := s.clients.dial("tcp", from, dst.String())
		if err == nil { // the reset can come before the connection is established
			_ = c.SetDeadline(time.Now().Add(longestWait))
			var got []byte
			if got, err = io.ReadAll(c); len(got) > 0 {
				t.Errorf("%v: got %q", dst, got)
			}
			c.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v: %v, want a reset", dst, err)
		}
		s.g.journal().mustDeny(t, records, denial{via: "transparent", client: fleet[0].name, host: to, port: 3130, reason: "self"})
		try{}.check(t, s, s.rec.everything(t, mark))
	}
	// The same port of another host is a destination like any other.
	records := s.g.journal().mark()
	far := netip.AddrPortFrom(s.far(false), 3130)
	stream(far, "\x02bytes\r\n\r\n")(t, s)
	s.g.journal().mustDeny(t, records, denial{via: "transparent", client: fleet[0].name, host: far.Addr().String(), port: 3130, reason: "ip_literal"})
}
