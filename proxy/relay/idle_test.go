// Tests of idle relays: when they end, and what they hold until then.

package relay

import (
	"io"
	"runtime"
	"testing"
	"time"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

func TestRelayIdleEndsBothAsReset(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Limits{Idle: 50 * time.Millisecond, HalfClosed: time.Minute, Slice: Slice})
	io.WriteString(r.client, "x")
	if c := r.ended(t); c.Cause != rules.EndIdle || c.BytesIn != 1 {
		t.Errorf("closed %+v", c)
	}
	wantReset(t, r.client)
	io.ReadFull(r.origin, make([]byte, 1))
	wantReset(t, r.origin)
}

// One direction keeps the other alive.
func TestRelayIdleIsShared(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Limits{Idle: 300 * time.Millisecond, HalfClosed: time.Minute, Slice: Slice})
	for range 10 {
		time.Sleep(60 * time.Millisecond) // the pace of the traffic; the test is about time
		if _, err := io.WriteString(r.origin, "."); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.ReadFull(r.client, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(r.client, "still here")
	if _, err := io.ReadFull(r.origin, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
}

// An idle tunnel holds its two descriptors: no pipe, and no buffer.
func TestIdleTunnelsHoldTwoDescriptors(t *testing.T) {
	const tunnels = 50
	before := proxytest.Descriptors(t)
	var rs []*relayed
	for range tunnels {
		r := startRelay(t, generous())
		io.WriteString(r.client, "ping")
		if _, err := io.ReadFull(r.origin, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	got := proxytest.Descriptors(t)
	// Two of each four descriptors are the test's own. Descriptors of earlier tests may have gone
	// meanwhile.
	if n := got["socket"] - before["socket"]; n > 4*tunnels || n <= 3*tunnels {
		t.Errorf("%d tunnels hold %d sockets with their peers", tunnels, n)
	}
	if n := got["pipe"] - before["pipe"]; n > 0 {
		t.Errorf("%d idle tunnels hold %d pipes", tunnels, n)
	}
	for _, r := range rs {
		r.client.Close()
		r.origin.Close()
		r.ended(t)
	}
}

// A tunnel that has moved much returns its pipe when it becomes quiet.
func TestQuietTunnelsGiveTheirPipesBack(t *testing.T) {
	const tunnels = 10
	before := proxytest.Descriptors(t)["pipe"]
	var rs []*relayed
	for range tunnels {
		r := startRelay(t, generous())
		go r.origin.Write(make([]byte, 4<<20))
		if _, err := io.CopyN(io.Discard, r.client, 4<<20); err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	for end := time.Now().Add(10 * time.Second); proxytest.Descriptors(t)["pipe"] > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d pipes left", proxytest.Descriptors(t)["pipe"]-before)
		}
		runtime.GC() // package net keeps pipes for reuse until then
	}
	for _, r := range rs {
		r.client.Close()
		r.origin.Close()
		r.ended(t)
	}
}
