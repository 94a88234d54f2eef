// Upstreams that do not return the letter case of a question.

package dnsfilter

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// letters is a name with enough letters that random case never leaves all in
// one case.
const letters = "abcdefghijklmnopqrstuvwxyz.a.example"

// TestCaseChanged asserts that an upstream which answers in another letter case
// is used: RFC 1035, section 2.3.3, compares names without regard to case, and
// no RFC demands that servers keep it. The log has one warning, the metrics
// mark the upstream, and it is checked again after an hour.
func TestCaseChanged(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		over   rules.Transport
		change func(string) string
		only   string // the network on which it happens; "": both
		noTCP  bool
		warn   string
		first  []string // networks of the first question, in order
		later  []string // of the next one
	}{
		"lower case":                       {rules.OverUDP, strings.ToLower, "", false, "port and ID alone", []string{"udp", "tcp"}, []string{"udp"}},
		"upper case":                       {rules.OverUDP, strings.ToUpper, "", false, "port and ID alone", []string{"udp", "tcp"}, []string{"udp"}},
		"only in datagrams":                {rules.OverUDP, strings.ToLower, "udp", false, "another host may answer", []string{"udp", "tcp"}, []string{"tcp"}},
		"where TCP is shut":                {rules.OverUDP, strings.ToLower, "", true, "port and ID alone", []string{"udp", "udp", "udp"}, []string{"udp"}},
		"by TCP, where it does not matter": {rules.OverTCP, strings.ToLower, "", false, "", []string{"tcp"}, []string{"tcp"}},
	} {
		t.Run(what, func(t *testing.T) {
			var logged lockedText
			var mu sync.Mutex
			marked := false
			b := newHarness(t, func(cfg *setup) {
				cfg.Upstreams[0].Over = c.over
				cfg.Log = slog.New(slog.NewTextHandler(&logged, nil))
				cfg.ObserveUpstream = func(u UpstreamTry) { mu.Lock(); marked = u.ChangesCase; mu.Unlock() }
				if c.noTCP {
					cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						if network == "tcp" {
							return nil, errors.New("connection refused")
						}
						return dialLiteral(ctx, network, address)
					}
				}
			}, "*.example")
			var kept []bool
			b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
				network := w.LocalAddr().Network()
				mu.Lock()
				kept = append(kept, strings.ToLower(r.Question[0].Name) != r.Question[0].Name)
				mu.Unlock()
				m := b.up.reply(r)
				rr, _ := dns.NewRR(strings.ToLower(r.Question[0].Name) + " 300 IN A 192.0.1.10")
				m.Answer, m.Ns, m.Rcode = []dns.RR{rr}, nil, 0
				if c.only == "" || c.only == network {
					m.Question[0].Name = c.change(m.Question[0].Name)
				}
				w.WriteMsg(m)
				return true
			})
			networks := func(name string) (list []string) {
				b.up.asked()
				if r := b.ask(name+".", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
					t.Fatalf("answered %v", r)
				}
				for _, q := range b.up.asked() {
					list = append(list, q[:3])
				}
				return list
			}
			if got := networks(letters); !slices.Equal(got, c.first) {
				t.Errorf("asked by %q, want %q", got, c.first)
			}
			mu.Lock()
			kept = nil
			mu.Unlock()
			if got := networks("x" + letters); !slices.Equal(got, c.later) || kept[0] {
				t.Errorf("then asked by %q in mixed case %t, want %q", got, kept, c.later)
			}
			mu.Lock()
			if marked != (c.warn != "") {
				t.Errorf("marked %t", marked)
			}
			mu.Unlock()
			b.advance(caseRecheck)
			if got := networks("y" + letters); !slices.Equal(got, c.first) {
				t.Errorf("an hour later asked by %q, want %q", got, c.first)
			}
			if n := strings.Count(logged.String(), "level=WARN"); c.warn == "" && n != 0 || c.warn != "" && (n != 1 || !strings.Contains(logged.String(), c.warn)) {
				t.Errorf("logged %s", logged.String())
			}
		})
	}
}

// TestCaseKeptAgain asserts that an upstream which keeps the case again has the
// protection again.
func TestCaseKeptAgain(t *testing.T) {
	b := newHarness(t, nil, "*.example")
	var mu sync.Mutex
	lower := true
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		mu.Lock()
		defer mu.Unlock()
		m := b.up.reply(r)
		if lower {
			m.Question[0].Name = strings.ToLower(m.Question[0].Name)
		}
		w.WriteMsg(m)
		return true
	})
	b.ask(letters+".", dns.TypeA)
	u := b.current().root.servers[0]
	if u.letterCaseAt(b.clock()) != caseLost {
		t.Fatal("not noticed")
	}
	mu.Lock()
	lower = false
	mu.Unlock()
	b.advance(caseRecheck)
	b.ask("x"+letters+".", dns.TypeA)
	if u.letterCaseAt(b.clock()) != caseKept || u.letterCase.how.Load() != caseKept {
		t.Error("still counts as changing the letter case")
	}
}

// TestForgedCase asserts that one forged datagram with the right port and ID is
// not accepted and does not switch the protection off.
func TestForgedCase(t *testing.T) {
	b := newHarness(t, nil, "*.example")
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		if w.LocalAddr().Network() == "udp" {
			m := new(dns.Msg).SetReply(r)
			m.Question[0].Name = strings.ToLower(m.Question[0].Name)
			rr, _ := dns.NewRR(m.Question[0].Name + " 300 IN A 192.0.1.66")
			m.Answer = []dns.RR{rr}
			w.WriteMsg(m)
		}
		m := new(dns.Msg).SetReply(r)
		rr, _ := dns.NewRR(letters + ". 300 IN A 192.0.1.10")
		m.Answer = []dns.RR{rr}
		w.WriteMsg(m)
		return true
	})
	if r := b.ask(letters+".", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
		t.Errorf("answered %v", r)
	}
	if u := b.current().root.servers[0]; u.letterCaseAt(b.clock()) != caseKept {
		t.Error("the protection is off")
	}
}

// TestSameQuestion asserts that only letters of the name may differ: the types
// 65 and 97 look like a capital and a small letter.
func TestSameQuestion(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"\x01a\x00\x00\x41\x00\x01", "\x01A\x00\x00\x41\x00\x01", true},
		{"\x01a\x00\x00\x41\x00\x01", "\x01a\x00\x00\x61\x00\x01", false},
		{"\x01a\x00\x00\x41\x00\x01", "\x01b\x00\x00\x41\x00\x01", false},
		{"\x01@\x00\x00\x41\x00\x01", "\x01`\x00\x00\x41\x00\x01", false},
	} {
		if got := sameQuestion([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("%q and %q: %t", c.a, c.b, got)
		}
	}
}

// lockedText is a log for concurrent writers.
type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
