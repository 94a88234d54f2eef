// HTTP benchmark: what one plain request on a kept connection costs.

package proxy

import (
	"bufio"
	"io"
	"net"
	"testing"
)

// BenchmarkRequest sends GET requests over one connection of a client and one of the destination.
// The figures contain the client and the origin of the test, which allocate nothing.
func BenchmarkRequest(b *testing.B) {
	const request = "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
	w := newWorld(b, nil)
	w.origin("8.8.8.8:80", func(conn *net.TCPConn, _ io.Reader) {
		buf := make([]byte, 4096)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			io.WriteString(conn, okAnswer)
		}
	})
	conn := w.dial(w.http)
	r := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		io.WriteString(conn, request)
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				r.Discard(2)
				break
			}
		}
		w.journal.mu.Lock()
		w.journal.finals, w.journal.ends = w.journal.finals[:0], w.journal.ends[:0]
		w.journal.mu.Unlock()
	}
}
