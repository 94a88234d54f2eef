// What a batch costs: no allocation, and one count for equal answers.

package dnsfilter

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// Reading, answering and sending a batch of cached answers allocates nothing, with and without
// control messages.
func TestBatchAllocatesNothing(t *testing.T) {
	for network, listen := range map[string]string{"udp4": "127.0.0.1:0", "udp": "[::]:0"} {
		batchAllocatesNothing(t, network, listen)
	}
}

func batchAllocatesNothing(t *testing.T, network, listen string) {
	t.Helper()
	f := cached(t, true)
	w := newWaiting(t, network, listen, nil)
	defer w.conn.Close()
	conn := w.client("127.0.0.1")
	b, err := newBatch(w.conn)
	if err != nil {
		t.Fatal(err)
	}
	s, wire, buf := &service{f: f}, packed(t, question("a.example.", dns.TypeA)), make([]byte, 4096)
	answered := 0
	if got := testing.AllocsPerRun(100, func() {
		for range 10 {
			conn.Write(wire)
		}
		for left := 10; left > 0; left -= b.n {
			if err := b.receive(); err != nil {
				t.Fatal(err)
			}
			s.packets(t.Context(), w.conn, b)
		}
		for range 10 {
			if n, err := conn.Read(buf); err == nil && n > len(wire) {
				answered++
			}
		}
	}); got != 0 || answered != 1010 {
		t.Errorf("%s: %v allocations, %d answers", listen, got, answered)
	}
}

// Equal answers of a batch are reported once with their number. More different answers
// than the tally has room for are reported too.
func TestTally(t *testing.T) {
	var got []string
	now := time.Unix(1e9, 0)
	f := New(Config{Now: func() time.Time { return now }, Observe: func(a Answer) {
		got = append(got, fmt.Sprint(a.Kind, " ", a.RCode, " ", a.Latency, " ", a.Count))
	}})
	defer f.Close()
	var room tally
	q := query{proto: rules.UDP, arrived: now, tally: &room}
	for range 3 {
		f.observe(&q, KindCached, 0)
		f.observe(&q, KindDenied, 3)
	}
	for rcode := range 8 {
		f.observe(&q, KindUpstream, rcode)
	}
	now = now.Add(time.Millisecond)
	f.report(&room, q.arrived)
	f.report(&room, q.arrived)
	want := "[upstream 6 0s 1 upstream 7 0s 1 cached 0 1ms 3 denied 3 1ms 3 upstream 0 1ms 1 upstream 1 1ms 1 " +
		"upstream 2 1ms 1 upstream 3 1ms 1 upstream 4 1ms 1 upstream 5 1ms 1]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

// The sender of a datagram, in each of the forms in which the kernel writes it.
func TestSenderOfADatagram(t *testing.T) {
	var b batch
	for text, sa := range map[string]string{
		"192.0.2.7:5353":     "\x02\x00\x14\xe9\xc0\x00\x02\x07\x00\x00\x00\x00\x00\x00\x00\x00",
		"[2001:db8::7]:5353": "\x0a\x00\x14\xe9\x00\x00\x00\x00\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00",
		"[fe80::7%3]:5353":   "\x0a\x00\x14\xe9\x00\x00\x00\x00\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x03\x00\x00\x00",
		"invalid AddrPort":   "\x01\x00",
	} {
		b.in[0].Namelen = uint32(copy(b.peers[0][:], sa))
		if got := b.from(0).String(); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
}
