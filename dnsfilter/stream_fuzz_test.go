// Fuzz target: what an upstream of DNS over TLS sends.

package dnsfilter

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// received is a connection that has received these bytes and no more.
type received struct {
	net.Conn
	bytes.Reader
}

func (r *received) Read(b []byte) (int, error)       { return r.Reader.Read(b) }
func (*received) Write(b []byte) (int, error)        { return len(b), nil }
func (*received) SetReadDeadline(time.Time) error    { return nil }
func (*received) SetWriteDeadline(time.Time) error   { return nil }
func (*received) Close() error                       { return nil }
func (r *received) WriteTo(io.Writer) (int64, error) { panic("unused") }

// FuzzStream sends any bytes in answer to two questions. Each question ends, and an answer is
// always an answer to that question.
func FuzzStream(f *testing.F) {
	queries := map[uint16]string{1: "a.example.", 2: "b.example."}
	answer := func(id uint16, name string) []byte {
		m := new(dns.Msg)
		m.SetQuestion(name, dns.TypeA)
		m.Id, m.Response = id, true
		rr, _ := dns.NewRR(name + " 300 IN A 192.0.1.1")
		m.Answer = []dns.RR{rr}
		return framedMsg(m)
	}
	one, two := answer(1, "a.example."), answer(2, "b.example.")
	f.Add(append(one, two...))
	f.Add(append(two, one...))
	f.Add(append(one, one...))
	f.Add(answer(2, "a.example."))
	f.Add(one[:len(one)-3])
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		conn := new(received)
		conn.Reset(b)
		s := newStream(conn)
		calls := map[uint16]*call{}
		for id, name := range queries {
			m := new(dns.Msg)
			m.SetQuestion(name, dns.TypeA)
			m.Id = id
			query, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			if calls[id], err = s.begin(query); err != nil {
				t.Fatal(err)
			}
		}
		s.readAll()
		for id, c := range calls {
			select {
			case <-c.done:
			default:
				t.Fatalf("question %d has no end", id)
			}
			if c.err == nil && (c.reply.m.Id != id || len(c.reply.m.Question) != 1 || !equalNames(c.reply.m.Question[0].Name, queries[id])) {
				t.Fatalf("question %d is answered by %v", id, c.reply.m)
			}
		}
		if _, err := s.begin(make([]byte, headerSize)); err == nil {
			t.Fatal("the stream takes a question after its end")
		}
	})
}

func equalNames(a, b string) bool { return dns.CanonicalName(a) == dns.CanonicalName(b) }
