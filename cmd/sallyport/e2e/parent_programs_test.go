//go:build linux

// Parent programs: Java, node, Chromium and nc reach what is permitted through sallyport and a
// Squid behind it, and nothing but packets to Squid leaves.

package e2e

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParentPrograms(t *testing.T) {
	need(t, "squid", "openssl", "unshare", "setpriv", "java", "javac", "keytool", "node", "chromium", "nc.openbsd")
	l := newLab(t) // its gateway forwards nothing, so no client can bypass sallyport
	s := &scene{lab: l, mode: "gateway", host: l.gateway}
	s.readable(t)
	s.become(t, fleet[0])
	if err := os.WriteFile(s.resolvConf(), []byte("nameserver "+gateway4+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.startParent(t, strings.ReplaceAll(squidParent, permittedHost, "forbidden.sangfor.com"), "squid", "-N", "-f")
	s.g = s.behindParent(t, login, "[[parent]]\nname = \"corporate\"\nurl = \"http://"+parentAt+"\"\nauth_file = \"login\"\n"+configuration(fleet))
	s.prepareTrips(t)
	mark := s.rec.mark(t)
	for _, p := range httpPrograms() {
		if !slices.Contains([]string{"Java", "node", "Chromium", "nc"}, p.name) {
			continue
		}
		for _, w := range []front{absolute, connect, socks} {
			if p.trip[w] == "" {
				continue
			}
			text := s.try(t, p, w)
			if javaBySOCKS := p.name == "Java" && w == socks; !javaBySOCKS && !strings.HasPrefix(text, "whole; ") { // it asks for an address, which no rule lists
				t.Errorf("%s, %s: %s", p.name, w, text)
			}
		}
	}
	for _, packet := range s.rec.since(t, mark) {
		if packet.dst != netip.MustParseAddrPort(parentAt) && packet.dst.Port() != 53 && packet.dst != netip.MustParseAddrPort(s.rec.sink) {
			t.Errorf("a packet that did not go to the parent: %v", packet)
		}
	}
	s.g.waitFlow(t, `"parent":"corporate","dialed_by":"address"`, `"via":"socks5"`, `"via":"connect"`, `"via":"http"`)
	if flows, err := os.ReadFile(filepath.Join(s.g.dir, "flows.jsonl")); err != nil || strings.Contains(string(flows), "hunter2") {
		t.Errorf("the login is in the records, %v", err)
	}
}
