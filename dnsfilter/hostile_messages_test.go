// Hostile messages of servers that prove who they are: answers that lie about their own form, or
// about other names. Each comes by DNS over TLS and by DNS over HTTPS.

package dnsfilter

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// forged is the address that no client may get.
const forged = "192.0.1.66"

// A lie makes the wire form of an answer from the true answer.
type lie struct {
	what  string
	wire  func(r *dns.Msg) []byte
	truth bool // the client gets the true address; else no address at all
}

// changed returns a lie that changes the message.
func changed(what string, truth bool, change func(r *dns.Msg)) lie {
	return lie{what, func(r *dns.Msg) []byte {
		change(r)
		wire, _ := r.Pack()
		return wire
	}, truth}
}

// rewritten returns a lie that changes the wire form.
func rewritten(what string, truth bool, change func(wire []byte) []byte) lie {
	return lie{what, func(r *dns.Msg) []byte {
		r.Compress = false
		wire, _ := r.Pack()
		return change(wire)
	}, truth}
}

// record makes a resource record.
func record(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(err)
	}
	return rr
}

func hostileMessages() []lie {
	onlyForged := func(name string) func(*dns.Msg) {
		return func(r *dns.Msg) { r.Answer = []dns.RR{record(name + " 300 IN A " + forged)} }
	}
	and := func(all ...func(*dns.Msg)) func(*dns.Msg) {
		return func(r *dns.Msg) {
			for _, f := range all {
				f(r)
			}
		}
	}
	own := onlyForged("a.example.")
	return []lie{
		changed("a query, not a response", false, and(own, func(r *dns.Msg) { r.Response = false })),
		changed("another opcode", false, and(own, func(r *dns.Msg) { r.Opcode = dns.OpcodeNotify })),
		changed("another class", false, and(own, func(r *dns.Msg) { r.Question[0].Qclass = dns.ClassCHAOS })),
		changed("another type", false, and(own, func(r *dns.Msg) { r.Question[0].Qtype = dns.TypeAAAA })),
		changed("another name", false, and(own, func(r *dns.Msg) { r.Question[0].Name = "b.example." })),
		changed("no question", false, and(own, func(r *dns.Msg) { r.Question = nil })),
		changed("two questions", false, and(own, func(r *dns.Msg) { r.Question = append(r.Question, r.Question[0]) })),
		changed("truncated", false, and(own, func(r *dns.Msg) { r.Truncated = true })),
		changed("refused, with an answer", false, and(own, func(r *dns.Msg) { r.Rcode = dns.RcodeRefused })),
		changed("a server failure, with an answer", false, and(own, func(r *dns.Msg) { r.Rcode = dns.RcodeServerFailure })),
		changed("the answer of another name", false, onlyForged("b.example.")),
		changed("another name beside the answer", true, func(r *dns.Msg) { r.Answer = append(r.Answer, record("b.example. 300 IN A "+forged)) }),
		changed("another name before the answer", true, func(r *dns.Msg) { r.Answer = slices.Insert(r.Answer, 0, record("b.example. 300 IN A "+forged)) }),
		changed("another name among the authorities", true, func(r *dns.Msg) { r.Ns = append(r.Ns, record("b.example. 300 IN A "+forged)) }),
		changed("another name among the additional records", true, func(r *dns.Msg) { r.Extra = append(r.Extra, record("b.example. 300 IN A "+forged)) }),
		changed("an address beside an alias", false, func(r *dns.Msg) {
			r.Answer = []dns.RR{record("b.example. 300 IN CNAME a.example."), record("b.example. 300 IN A " + forged)}
		}),
		changed("an alias to itself", false, func(r *dns.Msg) { r.Answer = []dns.RR{record("a.example. 300 IN CNAME a.example.")} }),
		changed("a ring of aliases", false, func(r *dns.Msg) {
			r.Answer = []dns.RR{record("a.example. 300 IN CNAME x.test."), record("x.test. 300 IN CNAME y.test."), record("y.test. 300 IN CNAME x.test."), record("z.test. 300 IN A " + forged)}
		}),
		changed("an alias that leads nowhere", false, func(r *dns.Msg) {
			r.Answer = []dns.RR{record("a.example. 300 IN CNAME x.test."), record("z.test. 300 IN A " + forged)}
		}),
		changed("a record of class CH", false, func(r *dns.Msg) {
			rr := record("a.example. 300 IN A " + forged)
			rr.Header().Class = dns.ClassCHAOS
			r.Answer = []dns.RR{rr}
		}),
		rewritten("more answers than there are", false, func(w []byte) []byte { binary.BigEndian.PutUint16(w[6:], 65535); return w }),
		rewritten("more questions than there are", false, func(w []byte) []byte { binary.BigEndian.PutUint16(w[4:], 65535); return w }),
		rewritten("half of it", false, func(w []byte) []byte { return w[:len(w)/2] }),
		rewritten("a head alone", false, func(w []byte) []byte { return w[:12] }),
		rewritten("eleven octets", false, func(w []byte) []byte { return w[:11] }),
		rewritten("a name that points to itself", false, func(w []byte) []byte { return append(w[:12:12], 0xc0, 12, 0, 1, 0, 1) }),
		rewritten("a name that points beyond the end", false, func(w []byte) []byte { return append(w[:12:12], 0xff, 0xff, 0, 1, 0, 1) }),
		rewritten("a label of a reserved form", false, func(w []byte) []byte { w[12] = 0x80 | w[12]; return w }),
		rewritten("an address of three octets", false, func(w []byte) []byte { return shortAddress(w) }),
		rewritten("64 KiB of zeros", false, func([]byte) []byte { return make([]byte, 65535) }),
		rewritten("64 KiB of pointers", false, func(w []byte) []byte {
			return append(w[:12:12], []byte(strings.Repeat("\xc0\x0c", 32000))...)
		}),
	}
}

// shortAddress shortens the address at the end of the first answer.
func shortAddress(w []byte) []byte {
	i := strings.Index(string(w), "\x00\x04\xc0\x00\x01")
	if i < 0 {
		return w[:12]
	}
	return slices.Concat(w[:i], []byte{0, 3, 192, 0, 1}, w[i+6:])
}

func TestHostileMessages(t *testing.T) {
	t.Parallel()
	for _, l := range hostileMessages() {
		t.Run(l.what, func(t *testing.T) {
			t.Parallel()
			ca, zone := newCertifier(t), newZone(t)
			answer := func(q *dns.Msg) []byte {
				r := zone.reply(q)
				if q.Question[0].Name == "a.example." {
					return l.wire(r)
				}
				wire, _ := r.Pack()
				return wire
			}
			dot := serveDoT(t, tlsOf(ca.make(nil)), func(c net.Conn) {
				for {
					q, _, err := readQuery(c)
					if err != nil {
						return
					}
					wire := answer(q)
					c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...))
				}
			})
			doh := serveDoH(t, ca.make(nil), func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				q := new(dns.Msg)
				if q.Unpack(body) == nil {
					w.Header().Set("Content-Type", mediaType)
					w.Write(answer(q))
				}
			})
			for text, at := range map[string]string{fmt.Sprintf("tls://%v?name=dns.test", dot.addr): dot.addr.String(), fmt.Sprintf("https://%v/dns-query?name=dns.test", doh): doh.String()} {
				b := provenHarness(t, ca, text, "*.example")
				p := new(plainPorts)
				b.cfg.Dial, b.cfg.Timeout = p.dial, 2*time.Second
				r := b.ask("a.example.", dns.TypeA)
				if got := data(r); l.truth && !slices.Equal(got, []string{"192.0.1.10"}) || !l.truth && len(addressesIn(r)) > 0 {
					t.Errorf("%s: %v", text, r)
				}
				if r := b.ask("b.example.", dns.TypeA); strings.Contains(fmt.Sprint(r), forged) {
					t.Errorf("%s: then b.example: %v", text, r)
				}
				p.only(t, at)
			}
		})
	}
}

// addressesIn returns the addresses in an answer.
func addressesIn(r *dns.Msg) (out []string) {
	for _, rr := range r.Answer {
		if a, ok := rr.(*dns.A); ok {
			out = append(out, a.A.String())
		}
	}
	return out
}
