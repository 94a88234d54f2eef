// Guard tests: what net/http may see of a connection, and chunked bodies, written from RFC
// 9112, section 7.1.

package head

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/proxy/peek"
	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// judged is the owner of a guard in a test. It keeps what it was asked.
type judged struct {
	c      *peek.Conn
	heads  []string // methods and paths
	fault  rules.Reason
	detail string
}

func (j *judged) Judge(h *Head, fault rules.Reason, detail string) bool {
	if j.fault, j.detail = fault, detail; fault != rules.ReasonNone {
		return false
	}
	j.heads = append(j.heads, h.Method+" "+h.path)
	return true
}

func (j *judged) Await(limit int) error { return j.c.Fill(limit) }

// panicking is an owner that panics.
type panicking struct{}

func (panicking) Judge(*Head, rules.Reason, string) bool { panic("boom") }
func (panicking) Await(int) error                        { return io.EOF }

// guardOver returns a guard that reads from text, as if a client had sent it and then closed.
// The guard has no real connection.
func guardOver(text []byte, j *judged) *Guard {
	j.c = &peek.Conn{TCP: new(net.TCPConn), Bytes: bytes.Clone(text)}
	g := NewGuard(j.c, j, Limits{Head: time.Minute, Idle: time.Minute, HalfClosed: time.Minute, Connect: true})
	g.Close() // no answer will ever be written
	return g
}

// passed reads everything that a guard returns, size bytes at a time.
func passed(g *Guard, size int) string {
	var out bytes.Buffer
	buf := make([]byte, size)
	for {
		n, err := g.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String()
		}
	}
}

// decoded returns the data of a chunked request as net/http reads it.
func decoded(text string) (string, error) {
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(req.Body)
	return string(data), err
}

const chunkedHead = "POST /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestGuardChunked(t *testing.T) {
	cases := []struct {
		name, body string
		whole      bool
	}{
		{"empty", "0\r\n\r\n", true},
		{"chunks", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", true},
		{"extension", "3;x=y\r\nabc\r\n0;z\r\n\r\n", true},
		{"longest size line", "3;" + strings.Repeat("x", maxChunkLine-2) + "\r\nabc\r\n0\r\n\r\n", true},
		{"leading zeros", "0003\r\nabc\r\n000\r\n\r\n", true},

		{"bare LF after the size", "3\nabc\r\n0\r\n\r\n", false},
		{"bare LF after the data", "3\r\nabc\n0\r\n\r\n", false},
		{"bare LF in an extension", "3;\nx\r\nabc\r\n0\r\n\r\n", false},
		{"bare CR in an extension", "3;\rx\r\nabc\r\n0\r\n\r\n", false},
		{"NUL in an extension", "3;\x00\r\nabc\r\n0\r\n\r\n", false},
		{"bare LF at the end", "0\r\n\n", false},
		{"negative", "-3\r\nabc\r\n0\r\n\r\n", false},
		{"plus", "+3\r\nabc\r\n0\r\n\r\n", false},
		{"0x", "0x3\r\nabc\r\n0\r\n\r\n", false},
		{"underscore", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n", false},
		{"space before", " 3\r\nabc\r\n0\r\n\r\n", false},
		{"space after the size", "3 \r\nabc\r\n0\r\n\r\n", false},
		{"no size", "\r\nabc\r\n0\r\n\r\n", false},
		{"no digits", ";x\r\n\r\n", false},
		{"16 digits", "0000000000000003\r\nabc\r\n0\r\n\r\n", false},
		{"longer than its size", "3\r\nabcd\r\n0\r\n\r\n", false},
		{"size line without an end", strings.Repeat("0", 3*maxChunkLine), false},
		{"extension without an end", "3;" + strings.Repeat("x", 3*maxChunkLine), false},
		{"size line of 257 bytes", "3;" + strings.Repeat("x", maxChunkLine-1) + "\r\nabc\r\n0\r\n\r\n", false},
		{"size line of 4096 bytes", "3;" + strings.Repeat("x", 4094) + "\r\nabc\r\n0\r\n\r\n", false}, // net/http's own limit
		{"trailer field over 2 KiB", "0\r\nX: " + strings.Repeat("x", maxTrailerLine) + "\r\n\r\n", false},
		{"20 KiB of extensions", strings.Repeat("1;"+strings.Repeat("x", 200)+"\r\na\r\n", 100) + "0\r\n\r\n", false},
		{"20 KiB of trailers", "0\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 20) + "\r\n", false},
		{"trailer without colon", "0\r\nX\r\n\r\n", false},
		{"trailer folded", "0\r\nX: y\r\n z\r\n\r\n", false},
		{"Content-Length in the trailer", "0\r\nContent-Length: 5\r\n\r\n", false},
		{"Host in the trailer", "0\r\nhost: b.example\r\n\r\n", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var j judged
			got := passed(guardOver([]byte(chunkedHead+c.body+"GET /smuggled HTTP/1.1\r\n"), &j), 7)
			data, err := decoded(got)
			if want, _ := decoded(chunkedHead + c.body); (err == nil) != c.whole || c.whole && (data != want || !strings.HasSuffix(got, "\r\n0\r\n\r\n")) {
				t.Errorf("passed %.200q, data %.200q, %v; want %v", got, data, err, c.whole)
			}
			if want := map[bool]rules.Reason{true: rules.ReasonNone, false: rules.MalformedRequest}[c.whole]; j.fault != want {
				t.Errorf("fault %v (%s), want %v", j.fault, j.detail, want)
			}
			if len(j.heads) != 1 || strings.Contains(got, "smuggled") {
				t.Errorf("heads %q, passed %.200q", j.heads, got)
			}
		})
	}
}

// The guard announces all available data of a large chunk, not only one buffer. The reader can
// then read the data in pieces as large as it likes.
func TestGuardLargeChunks(t *testing.T) {
	const size = 32 << 10
	ours, theirs := proxytest.TCPPair(t)
	text := fmt.Sprintf("%s%x\r\n%s\r\n5\r\nhello\r\n0\r\n\r\n", chunkedHead, size, strings.Repeat("x", size))
	if _, err := io.WriteString(theirs, text); err != nil {
		t.Fatal(err)
	}
	var j judged
	g := guardOver(nil, &j)
	g.c.TCP = ours
	for began := time.Now(); g.atHand() < int64(len(text)); {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d of %d bytes have come", g.atHand(), len(text))
		}
	}
	got := passed(g, peek.Size)
	if want := chunkedHead + fmt.Sprintf("%x\r\n", size); !strings.HasPrefix(got, want) {
		t.Errorf("begins %q, want %q", got[:min(len(got), len(want))], want)
	}
	if data, err := decoded(got); err != nil || data != strings.Repeat("x", size)+"hello" || j.fault != rules.ReasonNone {
		t.Errorf("%d bytes, %v, fault %v (%s)", len(data), err, j.fault, j.detail)
	}
}

// Trailers are checked against the grammar and never handed on.
func TestGuardSwallowsTrailers(t *testing.T) {
	for _, trailers := range []string{
		"X-Sum: 1\r\nY: 2\r\n", "Proxy-Authorization: Basic x\r\n", "X-Forwarded-For: 10.0.0.1\r\n", "Transfer_Encoding: chunked\r\n",
	} {
		var j judged
		got := passed(guardOver([]byte(chunkedHead+"1\r\na\r\n0\r\n"+trailers+"\r\n"), &j), 7)
		if got != chunkedHead+"0001\r\na\r\n0\r\n\r\n" || j.fault != rules.ReasonNone {
			t.Errorf("%q: passed %q, fault %v (%s)", trailers, got, j.fault, j.detail)
		}
	}
}

// A body is as long as its Content-Length, whatever is in it.
func TestGuardContentLength(t *testing.T) {
	const body = "GET /in HTTP/1.1\r\n\r\n"
	var j judged
	text := "POST /l HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20\r\n\r\n" + body
	if got := passed(guardOver([]byte(text+"GET /behind HTTP/1.1\r\n"), &j), 7); got != text || len(j.heads) != 1 {
		t.Errorf("passed %q, heads %q", got, j.heads)
	}
}

// Not one byte of a refused head is handed out.
func TestGuardHoldsBack(t *testing.T) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: a.example\r\nX : y\r\n\r\n", "GET / HTTP/1.1\n\n", "\x16\x03\x01", "GET / HTTP/1.1\r\n",
	} {
		var j judged
		if got := passed(guardOver([]byte(text), &j), 7); got != "" || j.fault == rules.ReasonNone {
			t.Errorf("%q: passed %q, fault %v", text, got, j.fault)
		}
	}
}

// If a request was answered before its body was read, the rest of the body is not read as a
// next request, and not handed out.
func TestGuardUnreadBody(t *testing.T) {
	for _, framing := range []string{"Content-Length: 30\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1E\r\n"} {
		var j judged
		g := guardOver([]byte("POST / HTTP/1.1\r\nHost: a.example\r\n"+framing+"GET / HTTP/1.1\r\nHost: b.c\r\n\r\n\r\n"), &j)
		g.closed = false
		buf := make([]byte, 20) // a part of the head
		if _, err := g.Read(buf); err != nil {
			t.Fatal(err)
		}
		g.MarkAnswered()
		if n, err := g.Read(buf); n != 0 || err != io.EOF || len(j.heads) != 1 {
			t.Errorf("%q: read %q, %v, heads %q", framing, buf[:n], err, j.heads)
		}
	}
}

// A CONNECT is left to the owner, and stays unread.
func TestGuardLeavesConnect(t *testing.T) {
	var j judged
	g := guardOver([]byte("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\nearly"), &j)
	if got := passed(g, 7); got != "" || g.Connect == nil || len(j.heads) != 0 || !strings.HasSuffix(string(g.c.Bytes), "early") {
		t.Errorf("passed %q, heads %q, left %q", got, j.heads, g.c.Bytes)
	}
}

// A panic inside Read would end the process: goroutines of net/http call Read and do not
// recover.
func TestGuardPanic(t *testing.T) {
	g := NewGuard(&peek.Conn{Bytes: []byte("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")}, panicking{}, Limits{})
	if _, err := g.Read(make([]byte, 9)); err == nil || g.Panicked == nil {
		t.Errorf("error %v, panic %v", err, g.Panicked)
	}
}

// FuzzChunked: a body that the guard lets through is complete for net/http, equal to the
// client's body, and without trailers.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n", "ff\r\n", "3\nabc\r\n", "0x3\r\nabc\r\n",
		"00\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n", "1;\"q\r\n\"\r\n", "0\r\nTransfer-Encoding: x\r\n\r\n", "-1\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var j, other judged
		g := guardOver([]byte(chunkedHead+string(b)), &j)
		got := passed(g, 100)
		small := guardOver([]byte(chunkedHead+string(b)), &other)
		data1, err1 := decoded(got)
		if data7, err := decoded(passed(small, 7)); data7 != data1 || (err == nil) != (err1 == nil) || j.fault != other.fault || small.phase != g.phase {
			t.Fatalf("read in pieces of 7: %q, %v, fault %v; of 100: %q, %v, fault %v", data7, err, other.fault, data1, err1, j.fault)
		}
		if g.Panicked != nil {
			t.Fatal(g.Panicked)
		}
		if g.phase != phaseAnswer {
			return // incomplete
		}
		r := bufio.NewReader(strings.NewReader(got))
		req, err := http.ReadRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatalf("net/http refuses the body that we let through: %v", err)
		}
		if theirs, err := decoded(chunkedHead + string(b)); err != nil || theirs != string(data) {
			t.Fatalf("net/http reads %q, %v from the client's body, we %q", theirs, err, data)
		}
		if rest, _ := io.ReadAll(r); len(rest) > 0 || len(req.Trailer) > 0 {
			t.Fatalf("net/http leaves %q, and has trailers %v", rest, req.Trailer)
		}
	})
}
