// Benchmark: what one question to an upstream by UDP costs, without the network.

package dnsfilter

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// mirror is a connection that answers each question with its first octets as a reply.
type mirror struct {
	net.Conn
	query []byte
}

func (m *mirror) Write(b []byte) (int, error) {
	m.query = append(m.query[:0], b...)
	return len(b), nil
}

func (m *mirror) Read(b []byte) (int, error) {
	n := copy(b, m.query)
	b[2] |= 0x80
	return n, nil
}

func (*mirror) SetDeadline(time.Time) error     { return nil }
func (*mirror) SetReadDeadline(time.Time) error { return nil }
func (*mirror) Close() error                    { return nil }

func BenchmarkUpstreamUDP(b *testing.B) {
	conn := new(mirror)
	f, _ := setup{Config{Dial: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, ProbeEvery: -1}, ResolverConfig{Upstreams: nowhere(b)}}.filter(b)
	b.Cleanup(f.Close)
	u := f.current().root.servers[0]
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if m, err := f.ask(ctx, u, "www.a.example.", want{qtype: dns.TypeA}, false); err != nil || m == nil {
			b.Fatal(err)
		}
	}
}
