// Tests of the end of flows: limits, idle, reload, expiry, drain.

package datagram

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

func listen(addr string) (*net.UDPConn, error) {
	return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
}

func TestQuotaAndLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Flows = 8 }) // two for each client
	other := netip.MustParseAddrPort("10.0.0.1:4000")
	for _, port := range []string{"161", "162", "163"} {
		w.origin("8.8.8.9:" + port)
		w.sendFrom(other, "8.8.8.9:"+port, "x")
	}
	w.eventually("the third flow's denial", func() bool { return len(w.records) == 3 })
	if r := w.denial(); r.d.Reason != rules.Limit || r.a.Detail != "the client's quota of limits.udp_flows is reached" || r.a.Dest.Port() != 163 {
		t.Errorf("%v %q", r.d.Reason, r.a.Detail)
	}
	w.SetFlows(3)
	w.origin("8.8.8.8:123")
	w.send("time.example:123", "x") // another client has its own quota, here of one flow
	w.eventually("its flow", func() bool { return len(w.records) == 4 && w.records[3].d.Allowed() })
	w.sendFrom(netip.MustParseAddrPort("10.0.0.2:1"), "8.8.8.9:161", "x")
	w.eventually("the limit", func() bool { return len(w.records) == 5 })
	if r := w.records[4]; r.d.Reason != rules.Limit || r.a.Detail != "limits.udp_flows is reached" {
		t.Errorf("%v %q", r.d.Reason, r.a.Detail)
	}
	if w.Stats().Flows != 3 {
		t.Errorf("%d flows", w.Stats().Flows)
	}
}

func (w *world) denial() record {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		if !r.d.Allowed() {
			return r
		}
	}
	return record{}
}

// A flow ends when neither side sends anything; datagrams of either side keep it.
func TestIdle(t *testing.T) {
	t.Parallel()
	const idle = 400 * time.Millisecond
	w := newWorld(t, func(c *Config) { c.Idle = idle })
	o := w.origin("8.8.8.9:161")
	started := time.Now()
	w.send("8.8.8.9:161", "ask")
	_, from := w.receive(o)
	for range 4 {
		time.Sleep(idle / 2)
		o.WriteToUDPAddrPort([]byte("news"), from)
	}
	c := w.wantClose(rules.EndIdle)
	if passed := time.Since(started); passed < 3*idle-idle/8 || c.BytesOut != 16 {
		t.Errorf("ended after %v with %d bytes", passed, c.BytesOut)
	}
	w.send("8.8.8.9:161", "ask") // begins a new flow
	w.receive(o)
}

// A reload that takes the permission away ends the flow before the next datagram; another flow goes
// on.
func TestRecheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	name, addr := w.origin("8.8.8.8:123"), w.origin("8.8.8.9:161")
	w.send("time.example:123", "x")
	w.send("8.8.8.9:161", "x")
	w.receive(name)
	w.receive(addr)
	w.policy(strings.Replace(worldConfig, `"time.example", `, "", 1))
	if n := w.Recheck(); n != 1 {
		t.Errorf("%d flows are closed", n)
	}
	w.wantClose(rules.EndPolicy)
	w.eventually("the flow's end", func() bool { return w.group.Flows() == 1 })
	w.send("time.example:123", "secret")
	w.nothing(name)
	if r := w.denial(); r.d.Reason != rules.NotListed {
		t.Errorf("reason %v", r.d.Reason)
	}
	w.send("8.8.8.9:161", "y")
	w.receive(addr)
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	text := strings.Replace(worldConfig, "udp    = [161]\n", "udp    = [161]\nexpires = 2027-01-01T00:00:00Z\n", 1)
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, nil)
	w.policyAt(text, end.Add(-time.Second))
	o := w.origin("8.8.8.9:161")
	w.send("8.8.8.9:161", "x")
	w.receive(o)
	w.policyAt(text, end)
	w.Recheck()
	if c := w.wantClose(rules.EndDenied(rules.Expired)); c.Cause.String() != "expired" {
		t.Errorf("cause %v", c.Cause)
	}
}

// A reload during the look-up: the flow is denied by the new generation, and nothing is sent.
func TestReloadWhileConnecting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.8:123")
	w.send("slow.example:123", "secret")
	w.policy(strings.Replace(worldConfig, `, "slow.example"`, "", 1))
	if n := w.Recheck(); n != 0 {
		t.Errorf("%d flows are closed", n)
	}
	close(w.slow)
	w.wantRecord(rules.Deny, rules.NotListed)
	w.nothing(o)
	if len(w.closes) > 0 {
		t.Errorf("ends %+v", w.closes)
	}
}

// A reload right after the final allow: the flow ends before one of its datagrams is sent.
func TestReloadAfterTheDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	o := w.origin("8.8.8.9:161")
	w.allowed = func() {
		w.policy(strings.Replace(worldConfig, `["8.8.8.9"]`, `["8.8.8.10"]`, 1))
		w.Recheck()
	}
	w.send("8.8.8.9:161", "secret")
	if c := w.wantClose(rules.EndPolicy); c.BytesIn != 0 {
		t.Errorf("end %+v", c)
	}
	w.nothing(o)
}

// A socket that is connected elsewhere than the decision reaches sends nothing.
func TestSocketIsChecked(t *testing.T) {
	t.Parallel()
	for remote, why := range map[string]rules.Reason{"10.0.0.1:123": rules.PrivateAddress, "8.8.8.8:124": rules.PortNotListed,
		"8.8.8.8:5000": rules.PrivateAddress} { // the last one is permitted, but not what was asked for
		w := newWorld(t, func(c *Config) {
			c.Remote = func(*net.UDPConn) netip.AddrPort { return netip.MustParseAddrPort(remote) }
		})
		o := w.origin("8.8.8.8:123")
		w.send("time.example:123", "secret")
		w.wantRecord(rules.Deny, why)
		w.nothing(o)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	draining := false
	w := newWorld(t, func(c *Config) { c.Draining = func() bool { return draining } })
	o := w.origin("8.8.8.9:161")
	w.origin("8.8.8.8:123")
	w.send("8.8.8.9:161", "x")
	w.receive(o)
	draining = true
	w.send("8.8.8.9:161", "y") // an open flow goes on
	w.receive(o)
	w.send("time.example:123", "x")
	if r := w.denial(); r.d.Reason != rules.Draining {
		t.Errorf("reason %v", r.d.Reason)
	}
	w.Table.Close(rules.EndDrain)
	w.wantClose(rules.EndDrain)
}

// The end of a group while a name is looked up.
func TestCloseWhileConnecting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.send("slow.example:123", "x")
	w.group.Close(rules.EndClean)
	w.wantClose(rules.EndGone)
	w.send("slow.example:123", "x") // after the end
	if w.group.Flows() != 0 || w.Stats().Flows != 0 || w.quota.Held() != 0 {
		t.Errorf("%d flows, %d held", w.group.Flows(), w.quota.Held())
	}
}

// A panic of the front end denies its flow alone.
func TestPanic(t *testing.T) {
	t.Parallel()
	var told any
	w := newWorld(t, func(c *Config) { c.Panicked = func(v any, _ rules.Attempt) { told = v } })
	o := w.origin("8.8.8.9:161")
	g := w.Group(FrontEnd{Ask: ask, Open: func(netip.AddrPort, rules.Authority, netip.AddrPort) (Replier, error) { panic("broken") }})
	g.Send(client, rules.Authority{Addr: netip.MustParseAddr("8.8.8.9"), Port: 161}, []byte("secret"))
	g.running.Wait()
	if told != "broken" || g.Flows() != 0 || w.quota.Held() != 0 {
		t.Errorf("panic %v, %d flows", told, g.Flows())
	}
	w.nothing(o)
}
