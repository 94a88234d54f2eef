//go:build linux

// Names below wildcards: labels can carry data out, and a limit bounds this.

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// sallyport counts the names below wildcards that a client has looked up, by all
// front ends. Over the limit no packet for a new name leaves, and the journal has
// the name of the limit.
func TestNamesBelowWildcards(t *testing.T) {
	s := newService(t)
	rule := strings.NewReplacer("always.site.example", "*.tunnel.example", "always", "below").Replace(s.rule("always"))
	s.configure(t, s.configuration(rule, "[limits]\nwildcard_names = 4\n"))
	for i := range 9 {
		s.upstream.book[name(i)] = addrs("127.0.0.1")
	}
	s.activate(t)
	port := s.allowed.addr.Port()
	ways := []string{"dns-udp", "connect", "socks5", "http"}
	for i, way := range ways {
		if err := doors[way](s, name(i), port); err != nil {
			t.Errorf("%s: %v", way, err)
		}
	}
	for i, way := range ways {
		if err := doors[way](s, name(4+i), port); err == nil || errors.Is(err, errDenied) {
			t.Errorf("%s, one name more: %v", way, err)
		}
		if n := s.upstream.count(name(4 + i)); n != 0 {
			t.Errorf("%s: the resolver was asked %d times", way, n)
		}
	}
	for i := range ways {
		if err := tryConnect(s, name(i), port); err != nil {
			t.Errorf("a name that was used: %v", err)
		}
	}
	if err := tryConnect(s, "always.site.example", port); err != nil {
		t.Errorf("a name that is spelt out: %v", err)
	}
	if n := s.upstream.count(name(0)); n == 0 {
		t.Error("the resolver counts nothing")
	}
	eventually(t, longestWait, "four denials", func() error {
		var found int
		for _, d := range s.journal().denials(0) {
			if d.Reason == "limit" && strings.Contains(d.Detail, "limits.wildcard_names") {
				found++
			}
		}
		if found != 4 {
			return errorf("%d", found)
		}
		return nil
	})
}

func name(i int) string { return fmt.Sprintf("c2vjcmv0%d.tunnel.example", i) }
