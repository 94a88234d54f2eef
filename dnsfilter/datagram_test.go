// Tests of queries that another front end received inside its own protocol.

package dnsfilter

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// inside sends a query as another front end does, and returns the reply; nil: there was none.
func (b *harness) inside(m []byte) *dns.Msg {
	b.t.Helper()
	reply := make(chan *dns.Msg, 1)
	b.Answer(context.Background(), netip.MustParseAddrPort(knownClient+":4000"), b.who, m, func(out []byte) {
		r := new(dns.Msg)
		if err := r.Unpack(out); err != nil {
			b.t.Error(err)
		}
		reply <- r
	})
	select {
	case r := <-reply:
		return r
	case <-time.After(5 * time.Second):
		return nil
	}
}

// A query inside another protocol is decided like any other, by UDP from a proven source, and what
// it answers is pinned, although Config.Pins is off.
func TestAnswerInsideAnotherProtocol(t *testing.T) {
	b := newHarness(t, nil, "a.example", "*.a.example")
	b.who = &rules.Identity{User: "alice"}
	for range 2 { // from an upstream, then from the cache
		if r := b.inside(packed(t, question("a.example.", dns.TypeA))); r == nil || len(r.Answer) != 1 || r.Rcode != dns.RcodeSuccess {
			t.Fatalf("reply %v", r)
		}
		a, d := b.p.final(t)
		if !d.Allowed() || a.Via != rules.ViaDNS || a.Proto != rules.UDP || !a.SourceProven || a.Identity != b.who || a.Client.String() != knownClient+":4000" {
			t.Errorf("attempt %+v", a)
		}
	}
	if got := pinsOf(b.Filter, knownClient, "192.0.1.10"); got != "a.example" {
		t.Errorf("pinned to %q", got)
	}
	if r := b.inside(packed(t, question("www.a.example.", dns.TypeA))); r == nil || r.Truncated || len(r.Answer) == 0 { // without a cookie such a query is sent to TCP
		t.Errorf("a name below a wildcard: %v", r)
	}
	b.up.asked()
	if r := b.inside(packed(t, question("evil.test.", dns.TypeA))); r == nil || r.Rcode != dns.RcodeNameError {
		t.Errorf("a denied name: %v", r)
	}
	if q := b.up.asked(); len(q) != 0 {
		t.Errorf("asked upstreams %q", q)
	}
}

// After Close a query gets a failure at once, and no goroutine is left.
func TestAnswerInsideAfterClose(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	b.Close()
	if r := b.inside(packed(t, question("a.example.", dns.TypeA))); r == nil || r.Rcode != dns.RcodeServerFailure {
		t.Errorf("reply %v", r)
	}
}
