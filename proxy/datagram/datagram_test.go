// Tests of flows: what is sent, what comes back, and what is on record.

package datagram

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// The whole life of a flow: one decision, every datagram in order, the replies with the address
// that they came from, and the end with the bytes of both directions.
func TestFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:123")
	for i := range 5 {
		w.send("time.example:123", fmt.Sprint("ask ", i))
	}
	for i := range 5 {
		got, from := w.receive(o)
		if got != fmt.Sprint("ask ", i) {
			t.Errorf("datagram %d is %q", i, got)
		}
		if i == 0 {
			o.WriteToUDPAddrPort([]byte("answer"), from)
			o.WriteToUDPAddrPort(nil, from) // an empty datagram is a datagram
		}
	}
	w.eventually("the replies", func() bool { return len(w.replies) == 2 })
	w.mu.Lock()
	replies := slices.Clone(w.replies)
	w.mu.Unlock()
	if replies[0] != "127.0.0.1:4000 8.8.8.8:123 answer" || replies[1] != "127.0.0.1:4000 8.8.8.8:123 " {
		t.Errorf("replies %q", replies)
	}
	r := w.wantRecord(rules.Allow, rules.ReasonNone)
	if a := r.a; a.Via != rules.ViaSOCKS5 || a.Proto != rules.UDP || a.Client != client || a.Authority.String() != "time.example" || a.Dest.String() != "8.8.8.8:123" || a.Flow != 1 || a.Generation == nil {
		t.Errorf("attempt %+v", a)
	}
	if s := w.Stats(); s.Flows != 1 || s.DatagramsIn != 5 || s.DatagramsOut != 2 || s.BytesIn != 25 || s.BytesOut != 6 {
		t.Errorf("%+v", s)
	}
	w.group.Close(rules.EndGone)
	c := w.wantClose(rules.EndGone)
	if c.BytesIn != 25 || c.BytesOut != 6 || c.Dialed.String() != "8.8.8.8:123" || c.Decision.Rule.String() != r.d.Rule.String() || c.Attempt.Flow != 1 || c.Duration <= 0 {
		t.Errorf("end %+v", c)
	}
	if s := w.Stats(); s.Flows != 0 || s.DatagramsIn != 5 || s.BytesOut != 6 {
		t.Errorf("after the end: %+v", s)
	}
}

// What the policy denies is never connected, and each datagram is one denial.
func TestDenied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, from, to string
		reason         rules.Reason
	}{
		{"a name that no rule has", "127.0.0.1:4000", "evil.example:123", rules.NotListed},
		{"another port", "127.0.0.1:4000", "time.example:124", rules.PortNotListed},
		{"an address", "127.0.0.1:4000", "8.8.8.8:123", rules.IPLiteral},
		{"a port of an address", "127.0.0.1:4000", "8.8.8.9:162", rules.PortNotListed},
		{"a name that leads inside", "127.0.0.1:4000", "inside.example:123", rules.PrivateAddress},
		{"an unknown client", "192.0.2.1:4000", "time.example:123", rules.UnknownClient},
		{"another client's rule", "10.0.0.1:4000", "time.example:123", rules.NotListed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.sendFrom(netip.MustParseAddrPort(c.from), c.to, "secret")
			if r := w.wantRecord(rules.Deny, c.reason); r.a.Client.String() != c.from || r.a.Proto != rules.UDP {
				t.Errorf("attempt %+v", r.a)
			}
			w.eventually("the count", func() bool { return w.drops[Denied].Load() == 1 })
			if len(w.dialed()) > 0 {
				t.Errorf("dialed %v", w.dialed())
			}
			w.group.Close(rules.EndClean)
			if len(w.closes) > 0 {
				t.Errorf("ends %+v", w.closes)
			}
		})
	}
}

// A flow resolves its name once, whatever the name resolves to later.
func TestOnePin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	first, second := w.origin("8.8.8.8:123"), w.origin("8.8.4.4:123")
	w.send("time.example:123", "1")
	w.receive(first)
	w.send("time.example:123", "2")
	w.receive(first)
	w.nothing(second)
	w.sendFrom(netip.MustParseAddrPort("127.0.0.1:4001"), "time.example:123", "3") // another socket of the client: another flow
	if got, _ := w.receive(second); got != "3" {
		t.Errorf("got %q", got)
	}
	if n := w.generation.Load(); n != 2 {
		t.Errorf("%d look-ups", n)
	}
}

// Only the address and port that was sent to can answer.
func TestForgedReplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o, other := w.origin("8.8.8.9:161"), w.origin("8.8.8.9:162")
	w.send("8.8.8.9:161", "ask")
	_, from := w.receive(o)
	other.WriteToUDPAddrPort([]byte("forged"), from)
	o.WriteToUDPAddrPort([]byte("answer"), from)
	w.eventually("the reply", func() bool { return len(w.replies) == 1 && strings.HasSuffix(w.replies[0], " answer") })
	time.Sleep(20 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.replies) != 1 {
		t.Errorf("replies %q", w.replies)
	}
}

// A destination that refuses does not end its flow or another one: the next datagram is sent, and
// an answer arrives.
func TestRefusedPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.9:161")
	addr := o.LocalAddr().String()
	w.send("8.8.8.9:161", "first")
	w.receive(o)
	o.Close()
	for range 20 {
		w.send("8.8.8.9:161", "nobody listens")
	}
	if n := w.drops[Unsent].Load(); n != 0 { // the error of a datagram takes nothing from the next one
		t.Errorf("%d are not sent", n)
	}
	back, err := listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	w.send("8.8.8.9:161", "again")
	got, from := w.receive(back)
	for got != "again" {
		got, from = w.receive(back)
	}
	back.WriteToUDPAddrPort([]byte("unwanted"), from) // the client's side refuses it
	back.WriteToUDPAddrPort([]byte("answer"), from)
	w.eventually("the reply", func() bool { return len(w.replies) == 1 })
	if n := w.drops[Unreplied].Load(); n != 1 {
		t.Errorf("%d replies are counted as refused", n)
	}
	w.wantRecord(rules.Allow, rules.ReasonNone)
}

// Of several addresses the first with a route is used.
func TestSeveralAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:5000")
	w.send("two.example:5000", "x")
	w.receive(o)
	if a := w.wantRecord(rules.Allow, rules.ReasonNone).a; a.Dest.String() != "8.8.8.8:5000" {
		t.Errorf("dialed %v", a.Dest)
	}
}

// A permitted destination without an address or a route has an end on record, once for all the
// datagrams of a moment, and no decision.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for to, cause := range map[string]rules.Cause{"gone.example:123": rules.DialUnresolved, "8.8.8.9:161": rules.DialUnreachable} {
		w := newWorld(t, nil)
		w.send(to, "1")
		c := w.wantClose(cause)
		w.send(to, "2")
		if c.Dialed.IsValid() || c.BytesIn != 0 || !c.Decision.Allowed() {
			t.Errorf("%s: end %+v", to, c)
		}
		w.eventually("the counts", func() bool { return w.drops[Unreachable].Load() == 2 })
		if w.wantClose(cause); len(w.records) > 0 {
			t.Errorf("%s: decisions %v", to, w.records)
		}
	}
}

// While a name is looked up, a few datagrams wait, and Send does not.
func TestWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:123")
	for i := range maxWaiting + 3 {
		w.send("slow.example:123", fmt.Sprint(i))
	}
	w.nothing(o)
	close(w.slow)
	for i := range maxWaiting {
		if got, _ := w.receive(o); got != fmt.Sprint(i) {
			t.Errorf("datagram %d is %q", i, got)
		}
	}
	if n := w.drops[Waiting].Load(); n != 3 {
		t.Errorf("%d are dropped", n)
	}
}
