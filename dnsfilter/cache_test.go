// Cache: how long answers are kept, and how much memory they use.

package dnsfilter

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestAgeing asserts that TTLs count down, that an answer expires with its
// shortest TTL, and that no expired answer is served.
func TestAgeing(t *testing.T) {
	b := newHarness(t, nil, "www.a.example", "gone.example")
	ttls := func(r *dns.Msg) (s []uint32) {
		for _, rr := range slices.Concat(r.Answer, r.Ns) {
			s = append(s, rr.Header().Ttl)
		}
		return s
	}
	for _, c := range []struct {
		after time.Duration
		name  string
		ttls  []uint32
		asked int
	}{
		{0, "www.a.example.", []uint32{60}, 1},
		{10 * time.Second, "www.a.example.", []uint32{50}, 0},
		{49 * time.Second, "www.a.example.", []uint32{1}, 0},
		{time.Second, "www.a.example.", []uint32{60}, 1},
		{0, "gone.example.", []uint32{60}, 1},
		{59 * time.Second, "gone.example.", []uint32{1}, 0},
		{time.Second, "gone.example.", []uint32{60}, 1},
	} {
		b.advance(c.after)
		r := b.ask(c.name, dns.TypeA)
		if asked := b.up.asked(); !slices.Equal(ttls(r), c.ttls) || len(asked) != c.asked {
			t.Errorf("%v later %s: TTLs %v, want %v; asked %q", c.after, c.name, ttls(r), c.ttls, asked)
		}
	}
	b.advance(time.Hour)
	b.up.answerWith(func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := new(dns.Msg)
		m.SetRcode(r, dns.RcodeServerFailure)
		w.WriteMsg(m)
		return true
	})
	if r := b.ask("www.a.example.", dns.TypeA); r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 0 {
		t.Errorf("a stale answer: %v", r)
	}
}

// TestClockJump asserts that a clock set back breaks nothing. The filter's
// clock is monotonic, so the jump revives no answer either.
func TestClockJump(t *testing.T) {
	b := newHarness(t, nil, "a.example")
	b.ask("a.example.", dns.TypeA)
	b.advance(-time.Hour)
	if r := b.ask("a.example.", dns.TypeA); len(r.Answer) != 1 || r.Answer[0].Header().Ttl > 300 {
		t.Errorf("answered %v", r)
	}
}

// TestCacheIsBounded asserts that an endless number of names does not fill the
// memory.
func TestCacheIsBounded(t *testing.T) {
	c := newCache(64)
	for i := range 10_000 {
		key := fmt.Sprintf("key %d", i)
		c.put(key, &entry{expires: time.Duration(i + 1)}, 0)
		if c.get([]byte(key), 0) == nil {
			t.Fatal("the newest is not kept")
		}
	}
	if n := c.len(); n > 64 || n < 48 {
		t.Errorf("%d answers are kept, want 64", n)
	}
}

// TestCacheRoom asserts that large answers use no more memory in all than usual
// answers: the owner of a name below a permitted wildcard can make any number
// of large answers.
func TestCacheRoom(t *testing.T) {
	const answers = 64
	c := newCache(answers)
	large := &entry{wire: make([]byte, maxEntry), expires: time.Hour}
	usual := &entry{wire: make([]byte, 100), expires: time.Minute}
	c.put("usual", usual, 0)
	for i := range 1000 {
		c.put(fmt.Sprintf("key %d", i), large, 0)
		if c.get(fmt.Appendf(nil, "key %d", i), 0) == nil {
			t.Fatal("the newest is not kept")
		}
	}
	kept := 0
	for i := range c.shards {
		size := 0
		for _, e := range c.shards[i].m {
			size += e.size()
			kept++
		}
		if size != c.shards[i].size {
			t.Errorf("a shard has %d octets and counts %d", size, c.shards[i].size)
		}
	}
	if kept > cacheShards+1 {
		t.Errorf("%d large answers are kept", kept)
	}
	for range 3 {
		c.put("usual", usual, 0) // in place of itself
	}
	if s := &c.shards[maphash.String(c.seed, "usual")&(cacheShards-1)]; s.size != usual.size() || c.get([]byte("usual"), 0) == nil {
		t.Errorf("%d octets for one usual answer of %d", s.size, usual.size())
	}
}

// TestEntryHoldsNoMore asserts that an entry does not keep the packing buffer,
// which has room for 256 uncompressed records.
func TestEntryHoldsNoMore(t *testing.T) {
	name, err := rules.ParseName(strings.Repeat(strings.Repeat("x", 60)+".", 4) + "example")
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{}
	for i := range maxRecords {
		rr, _ := dns.NewRR(fmt.Sprintf("%s. 60 IN A 192.0.1.%d", name, i))
		a.records = append(a.records, rr)
	}
	e, err := newEntry(name, dns.TypeA, a)
	if err != nil || cap(e.wire) > 2*len(e.wire) {
		t.Errorf("%d octets held for %d: %v", cap(e.wire), len(e.wire), err)
	}
}
