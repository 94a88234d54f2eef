// Tests of the header's grammar, written from HAProxy's document, sections 2.1 and 2.2.

package proxyheader

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// header2 returns a header of version 2.
func header2(command, kind byte, body string) string {
	return signature + string([]byte{command, kind, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	tcp4 = "\x0a\x07\x07\x07\xc0\x00\x02\x01\xc3\x50\x01\xbb"
	tcp6 = "\xfd\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xc3\x50\x01\xbb"
)

func TestHeaders(t *testing.T) {
	ffff := strings.Repeat("ffff:", 7) + "ffff"
	unix := strings.Repeat("/run/x\x00\x00\x00", 24)
	for _, c := range []struct{ name, header, client, dest string }{
		{"version 1, IPv4", "PROXY TCP4 10.7.7.7 192.0.2.1 50000 443\r\n", "10.7.7.7:50000", "192.0.2.1:443"},
		{"version 1, IPv6", "PROXY TCP6 fd00:7::1 2001:DB8::2 50000 443\r\n", "[fd00:7::1]:50000", "[2001:db8::2]:443"},
		{"the longest line of IPv6", "PROXY TCP6 " + strings.Replace(ffff, "ffff", "fd00", 1) + " " + strings.Replace(ffff, "ffff", "fd00", 1) + " 65535 65535\r\n",
			"[fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
		{"a mapped address", "PROXY TCP6 ::ffff:10.7.7.7 ::ffff:192.0.2.1 50000 443\r\n", "10.7.7.7:50000", "192.0.2.1:443"},
		{"unknown, short", "PROXY UNKNOWN\r\n", "anonymous", ""},
		{"unknown, 107 octets", "PROXY UNKNOWN " + ffff + " " + ffff + " 65535 65535\r\n", "anonymous", ""},
		{"unknown, with anything", "PROXY UNKNOWN TCP4 10.7.7.7\r\n", "anonymous", ""},
		{"version 2, IPv4", header2(0x21, 0x11, tcp4), "10.7.7.7:50000", "192.0.2.1:443"},
		{"version 2, IPv6", header2(0x21, 0x21, tcp6), "[fd00:7::1]:50000", "[2001:db8::2]:443"},
		{"values behind the addresses", header2(0x21, 0x11, tcp4+"\x04\x00\x03abc\x20\xff\xff"), "10.7.7.7:50000", "192.0.2.1:443"},
		{"the longest header", header2(0x21, 0x11, tcp4+strings.Repeat("x", MaxSize-fixed-len(tcp4))), "10.7.7.7:50000", "192.0.2.1:443"},
		{"local", header2(0x20, 0x00, ""), "local", ""},
		{"local, with addresses that have no meaning", header2(0x20, 0x11, tcp4), "local", ""},
		{"local, of an unassigned family", header2(0x20, 0xff, "x"), "local", ""},
		{"unspecified", header2(0x21, 0x00, ""), "anonymous", ""},
		{"a unix socket", header2(0x21, 0x31, unix), "anonymous", ""},
		{"a unix datagram", header2(0x21, 0x32, unix), "anonymous", ""},
		{"a datagram", header2(0x21, 0x12, tcp4), "anonymous", ""},
		{"IPv4 without a protocol", header2(0x21, 0x10, tcp4), "anonymous", ""},
	} {
		const after = "GET / HTTP/1.1\r\n"
		h, need, err := Parse([]byte(c.header + after))
		client, dest := map[Kind]string{Local: "local", Anonymous: "anonymous"}[h.Kind], ""
		if h.Kind == Relayed {
			client, dest = h.Client.String(), h.Dest.String()
		}
		if err != nil || need != 0 || client != c.client || dest != c.dest || h.Len != len(c.header) {
			t.Errorf("%s: %+v, need %d, %v", c.name, h, need, err)
		}
		for n := range c.header { // every beginning waits, and asks for no octet that is not the header's
			if _, need, err := Parse([]byte(c.header[:n])); err != nil || need < 1 || n+need > len(c.header) {
				t.Errorf("%s: %d octets of %d: need %d, %v", c.name, n, len(c.header), need, err)
			}
		}
		in := strings.NewReader(c.header + after)
		got, err := Read(iotest.OneByteReader(in))
		rest, _ := io.ReadAll(in)
		if got != h || err != nil || string(rest) != after {
			t.Errorf("%s: read %+v, %v, and %q is left", c.name, got, err, rest)
		}
	}
}

func TestBrokenHeaders(t *testing.T) {
	long := "PROXY UNKNOWN " + strings.Repeat("x", 107)
	for _, c := range []struct {
		name, header string
		want         error
	}{
		{"HTTP", "GET / HTTP/1.1\r\n", ErrNone},
		{"TLS", "\x16\x03\x01\x02\x00", ErrNone},
		{"SOCKS5", "\x05\x01\x00", ErrNone},
		{"a DNS query", "\x00\x1d\x12\x34\x01\x00", ErrNone},
		{"lower case", "proxy TCP4 10.7.7.7 192.0.2.1 1 2\r\n", ErrNone},
		{"another method", "PROXIES / HTTP/1.1\r\n", ErrNone},
		{"a request of this method", "PROXY http://a.example/ HTTP/1.1\r\n", errLine},
		{"two spaces", "PROXY  TCP4 10.7.7.7 192.0.2.1 1 2\r\n", errLine},
		{"two spaces inside", "PROXY TCP4 10.7.7.7  192.0.2.1 1 2\r\n", errLine},
		{"a space at the end", "PROXY TCP4 10.7.7.7 192.0.2.1 1 2 \r\n", errLine},
		{"a tab", "PROXY TCP4 10.7.7.7\t192.0.2.1 1 2\r\n", errLine},
		{"a bare line feed", "PROXY TCP4 10.7.7.7 192.0.2.1 1 2\n", errLine},
		{"a bare carriage return", "PROXY TCP4 10.7.7.7 192.0.2.1 1 2\rx", errLine},
		{"a NUL", "PROXY TCP4 10.7.7.7 192.0.2.1 1 2\x00\r\n", errLine},
		{"UDP4", "PROXY UDP4 10.7.7.7 192.0.2.1 1 2\r\n", errLine},
		{"UNKNOWNS", "PROXY UNKNOWNS\r\n", errLine},
		{"no ports", "PROXY TCP4 10.7.7.7 192.0.2.1\r\n", errLine},
		{"an IPv6 address in TCP4", "PROXY TCP4 fd00:7::1 192.0.2.1 1 2\r\n", errLine},
		{"an IPv4 address in TCP6", "PROXY TCP6 10.7.7.7 fd00:7::1 1 2\r\n", errLine},
		{"a leading zero", "PROXY TCP4 10.7.7.07 192.0.2.1 1 2\r\n", errLine},
		{"a leading zero in a port", "PROXY TCP4 10.7.7.7 192.0.2.1 01 2\r\n", errLine},
		{"a signed port", "PROXY TCP4 10.7.7.7 192.0.2.1 +1 2\r\n", errLine},
		{"port 65536", "PROXY TCP4 10.7.7.7 192.0.2.1 65536 2\r\n", errLine},
		{"a zone", "PROXY TCP6 fe80::1%lo fd00::1 1 2\r\n", errLine},
		{"a name", "PROXY TCP4 localhost 192.0.2.1 1 2\r\n", errLine},
		{"108 octets", long[:106] + "\r\n", errLine},
		{"no line end", long, errLong},
		{"version 1 in binary", header2(0x11, 0x11, tcp4), ErrVersion},
		{"version 3", header2(0x31, 0x11, tcp4), ErrVersion},
		{"command 2", header2(0x22, 0x11, tcp4), ErrVersion},
		{"family 4", header2(0x21, 0x41, tcp4), ErrVersion},
		{"protocol 3", header2(0x21, 0x13, tcp4), ErrVersion},
		{"too long", header2(0x21, 0x11, strings.Repeat("x", MaxSize-fixed+1)), ErrTooLong},
		{"length 65535", signature + "\x21\x11\xff\xff", ErrTooLong},
		{"addresses cut", header2(0x21, 0x11, tcp4[:11]), nil},
		{"addresses of IPv6 cut", header2(0x21, 0x21, tcp6[:35]), nil},
		{"the unspecified address", "PROXY TCP4 0.0.0.0 192.0.2.1 1 2\r\n", nil},
		{"a multicast address", header2(0x21, 0x11, "\xe0\x00\x00\x01"+tcp4[4:]), nil},
		{"the broadcast address", "PROXY TCP4 255.255.255.255 192.0.2.1 1 2\r\n", nil},
		{"no host at the destination", "PROXY TCP6 fd00::1 :: 1 2\r\n", nil},
	} {
		h, need, err := Parse([]byte(c.header))
		if err == nil || need != 0 || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, need %d, %v, want %v", c.name, h, need, err, c.want)
		}
	}
}

// A connection that ends early is no header; one that sends nothing is not even a broken one.
func TestReadEnds(t *testing.T) {
	for sent, want := range map[string]error{"": io.EOF, "PROXY TCP4": io.ErrUnexpectedEOF, signature: io.ErrUnexpectedEOF, "GE": ErrNone, "P": io.ErrUnexpectedEOF} {
		if _, err := Read(strings.NewReader(sent)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", sent, err, want)
		}
	}
}

func TestBegins(t *testing.T) {
	for text, want := range map[string]bool{
		"PROXY TCP4 10.7.7.7": true, "PROXY UNKNOWN\r\n": true, signature: true, signature[4:] + "x": true,
		"PROXY http://a.example/ HTTP/1.1": false, "PROXY": false, signature[:11]: false, "": false, "GET / HTTP/1.1": false,
	} {
		if Begins([]byte(text)) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// check demands what holds for every input: the answer for a prefix never contradicts the answer
// for the whole, and only a whole header is accepted.
func check(t *testing.T, b []byte) {
	h, need, err := Parse(b)
	switch {
	case err != nil || need > 0:
		if h.Len > len(b) || need > MaxSize {
			t.Fatalf("%q: %+v, need %d", b, h, need)
		}
	case h.Kind == 0 || h.Len < shortest || h.Len > len(b) || h.Len > MaxSize:
		t.Fatalf("%q: %+v", b, h)
	case h.Kind == Relayed && (!h.Client.Addr().IsValid() || h.Client.Addr().Is4In6() || h.Client.Addr().Zone() != "" || !h.Dest.IsValid()):
		t.Fatalf("%q: %+v", b, h)
	case h.Kind != Relayed && (h.Client.IsValid() || h.Dest.IsValid()):
		t.Fatalf("%q: %+v", b, h)
	}
	got, readErr := Read(bytes.NewReader(b))
	if whole := err == nil && need == 0; whole != (readErr == nil) || whole && got != h {
		t.Fatalf("%q: parsed %+v, %v; read %+v, %v", b, h, err, got, readErr)
	}
	if err == nil && need == 0 {
		for n := range h.Len {
			if _, more, err := Parse(b[:n]); err != nil || more < 1 || n+more > h.Len {
				t.Fatalf("%q: %d octets: need %d, %v", b, n, more, err)
			}
		}
	}
}

func FuzzVersion1(f *testing.F) {
	for _, s := range []string{"TCP4 10.7.7.7 192.0.2.1 50000 443\r\n", "TCP6 fd00:7::1 ::ffff:1.2.3.4 0 65535\r\n", "UNKNOWN\r\n", "UNKNOWN x\r\nGET", "TCP4 1.2.3.4", "TCP4  1.2.3.4 1.2.3.4 1 1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, append([]byte(prefix1), b...)) })
}

func FuzzVersion2(f *testing.F) {
	for _, s := range []string{header2(0x21, 0x11, tcp4), header2(0x21, 0x21, tcp6), header2(0x20, 0, ""), header2(0x21, 0x31, strings.Repeat("u", 216)), header2(0x21, 0x11, tcp4+"\x03\x00\x04abcd") + "GET", signature + "\x21\x11\xff\xff"} {
		f.Add([]byte(s[len(signature):]))
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, append([]byte(signature), b...)) })
}
