// Tests of the ClientHello parser, written from RFC 8446, RFC 6066 and RFC 9849.

package hello

import (
	"bytes"
	"strings"
	"testing"

	"sallyport/proxy/proxytest"
	"sallyport/rules"
)

// patched returns a copy of b with b[i] = v.
func patched(b []byte, i int, v byte) []byte {
	b = bytes.Clone(b)
	b[i] = v
	return b
}

const updates = "download.sangfor.com"

func TestHello(t *testing.T) {
	good := proxytest.Message(proxytest.SNI(0, updates))
	one := proxytest.Records(good, maxRecord)
	long := proxytest.Message(proxytest.SNI(0, updates), proxytest.NewExt(21, make([]byte, maxHello-4-2-32-33-6-2-2-4-4-5-len(updates))))
	if len(long) != maxHello {
		t.Fatalf("the longest hello has %d bytes", len(long))
	}
	tooLong := proxytest.Message(proxytest.SNI(0, updates), proxytest.NewExt(21, make([]byte, maxHello)))
	cases := []struct {
		name  string
		bytes []byte
		fault rules.Reason
		sni   string // of a complete ClientHello; "": none
	}{
		{"plain", one, 0, updates},
		{"upper case is folded", proxytest.Records(proxytest.Message(proxytest.SNI(0, "DownLoad.Sangfor.COM")), maxRecord), 0, updates},
		{"one trailing dot is removed", proxytest.Records(proxytest.Message(proxytest.SNI(0, updates+".")), maxRecord), 0, updates},
		{"no server_name", proxytest.Records(proxytest.Message(proxytest.NewExt(10, []byte{0, 2, 0, 29})), maxRecord), 0, ""},
		{"no extensions at all", proxytest.Records(proxytest.Message(), maxRecord), 0, ""},
		{"GREASE extensions", proxytest.Records(proxytest.Message(proxytest.NewExt(0x0a0a, nil), proxytest.SNI(0, updates), proxytest.NewExt(0xfafa, []byte{0})), maxRecord), 0, updates},
		{"records of one byte", proxytest.Records(good, 1), 0, updates},
		{"one byte left for a second record", proxytest.Records(good, len(good)-1), 0, updates},
		{"handshake header cut", proxytest.Join(proxytest.Records(good[:2], 2), proxytest.Records(good[2:], maxRecord)), 0, updates},
		{"other records after it", proxytest.Join(one, proxytest.Record(20, 3, []byte{1}), proxytest.Record(23, 3, []byte("early"))), 0, updates},
		{"exactly 16 KiB", proxytest.Records(long, maxRecord), 0, updates},

		{"more than 16 KiB", proxytest.Records(tooLong, maxRecord), rules.SniffTooLong, ""},
		{"declares 16 MiB", proxytest.Record(22, 3, []byte{1, 0xff, 0xff, 0xff}), rules.SniffTooLong, ""},
		{"64 KiB of record headers", proxytest.Records(long, 1), rules.SniffTooLong, ""},

		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), rules.NotTLS, ""},
		{"SSH", []byte("SSH-2.0-OpenSSH_10\r\n"), rules.NotTLS, ""},
		{"SSLv2 hello", []byte{0x80, 0x2e, 1, 3, 1, 0, 21, 0, 0, 0, 16}, rules.NotTLS, ""},
		{"alert first", proxytest.Join(proxytest.Record(21, 3, []byte{1, 0}), one), rules.NotTLS, ""},
		{"ChangeCipherSpec first", proxytest.Join(proxytest.Record(20, 3, []byte{1}), one), rules.NotTLS, ""},
		{"application data first", proxytest.Join(proxytest.Record(23, 3, []byte("x")), one), rules.NotTLS, ""},
		{"record version 2.0", patched(one, 1, 2), rules.NotTLS, ""},
		{"record version 7f7f", patched(patched(one, 1, 0x7f), 2, 0x7f), rules.NotTLS, ""},

		{"empty record first", proxytest.Join(proxytest.Record(22, 3, nil), one), rules.MalformedRequest, ""},
		{"empty record inside", proxytest.Join(proxytest.Records(good[:9], 9), proxytest.Record(22, 3, nil), proxytest.Records(good[9:], 99)), rules.MalformedRequest, ""},
		{"record of 16385", proxytest.Record(22, 3, make([]byte, maxRecord+1)), rules.MalformedRequest, ""},
		{"alert inside", proxytest.Join(proxytest.Records(good[:9], 9), proxytest.Record(21, 3, []byte{1, 0}), proxytest.Records(good[9:], 99)), rules.MalformedRequest, ""},
		{"version changes inside", proxytest.Join(proxytest.Records(good[:9], 9), proxytest.Record(22, 2, good[9:])), rules.MalformedRequest, ""},
		{"HelloRequest before", proxytest.Join(proxytest.Record(22, 3, []byte{0, 0, 0, 0}), one), rules.MalformedRequest, ""},
		{"second hello in the record", proxytest.Record(22, 3, proxytest.Join(good, good)), rules.MalformedRequest, ""},
		{"a byte after the hello in its last record", proxytest.Join(proxytest.Records(good[:20], 20), proxytest.Record(22, 3, append(good[20:len(good):len(good)], 0))), rules.MalformedRequest, ""},
		{"extension overruns", proxytest.Records(patched(good, len(good)-len(updates)-6, 0xff), maxRecord), rules.MalformedRequest, ""},
		{"list overruns", proxytest.Records(patched(good, len(good)-len(updates)-4, 0xff), maxRecord), rules.MalformedRequest, ""},
		{"list is shorter than its name", proxytest.Records(patched(good, len(good)-len(updates)-4, 9), maxRecord), rules.MalformedRequest, ""},
		{"name overruns", proxytest.Records(patched(good, len(good)-len(updates)-1, 0xff), maxRecord), rules.MalformedRequest, ""},
		{"session id of 33", proxytest.Records(patched(good, 4+34, 33), maxRecord), rules.MalformedRequest, ""},
		{"client version 2.0", proxytest.Records(patched(good, 4, 2), maxRecord), rules.MalformedRequest, ""},

		{"two server_name extensions", proxytest.Records(proxytest.Message(proxytest.SNI(0, updates), proxytest.SNI(0, updates)), maxRecord), rules.MalformedName, ""},
		{"two, the first unreadable", proxytest.Records(proxytest.Message(proxytest.NewExt(0, nil), proxytest.SNI(0, updates)), maxRecord), rules.MalformedRequest, ""},
		{"two names in one list", proxytest.Records(proxytest.Message(proxytest.SNI(0, updates, updates)), maxRecord), rules.MalformedName, ""},
		{"unknown name type", proxytest.Records(proxytest.Message(proxytest.SNI(1, updates)), maxRecord), rules.MalformedName, ""},
		{"empty list", proxytest.Records(proxytest.Message(proxytest.SNI(0)), maxRecord), rules.MalformedName, ""},
		{"empty name", proxytest.Records(proxytest.Message(proxytest.SNI(0, "")), maxRecord), rules.MalformedName, ""},
		{"NUL", proxytest.Records(proxytest.Message(proxytest.SNI(0, "evil.example\x00."+updates)), maxRecord), rules.MalformedName, ""},
		{"newline", proxytest.Records(proxytest.Message(proxytest.SNI(0, updates+"\n")), maxRecord), rules.MalformedName, ""},
		{"port", proxytest.Records(proxytest.Message(proxytest.SNI(0, updates+":443")), maxRecord), rules.MalformedName, ""},
		{"IPv4 literal", proxytest.Records(proxytest.Message(proxytest.SNI(0, "192.0.2.1")), maxRecord), rules.MalformedName, ""},
		{"IPv6 literal", proxytest.Records(proxytest.Message(proxytest.SNI(0, "2001:db8::1")), maxRecord), rules.MalformedName, ""},
		{"leading dot", proxytest.Records(proxytest.Message(proxytest.SNI(0, "."+updates)), maxRecord), rules.MalformedName, ""},
		{"308 bytes", proxytest.Records(proxytest.Message(proxytest.SNI(0, strings.Repeat("abcdefghij.", 28))), maxRecord), rules.MalformedName, ""},
		{"label of 64", proxytest.Records(proxytest.Message(proxytest.SNI(0, strings.Repeat("a", 64)+".example")), maxRecord), rules.MalformedName, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, fault, detail, more := parse(c.bytes)
			if more || fault != c.fault || h.SNI.String() != c.sni {
				t.Errorf("sni %q, fault %v (%s), more %v; want sni %q, fault %v", h.SNI, fault, detail, more, c.sni, c.fault)
			}
			if (fault != 0) != (detail != "") {
				t.Errorf("fault %v with detail %q", fault, detail)
			}
			bytewise(t, c.bytes, h, fault)
		})
	}
}

// bytewise gives Parse a ClientHello byte by byte. The verdict must be that of the whole, it must
// come no later, and no beginning of a good ClientHello may count as complete.
func bytewise(t *testing.T, b []byte, want Hello, fault rules.Reason) {
	t.Helper()
	var scan Scan
	for n := range len(b) + 1 {
		h, f, _, more := scan.Parse(b[:n])
		if more {
			continue
		}
		if f != fault || h.SNI != want.SNI || h.HasSNI != want.HasSNI || h.ECH != want.ECH {
			t.Errorf("after %d bytes of %d: sni %q, fault %v; want %q, %v", n, len(b), h.SNI, f, want.SNI, fault)
		}
		return
	}
	t.Errorf("still incomplete after all %d bytes", len(b))
}

// A ClientHello has the same result wherever it is cut into two records.
func TestHelloSplitRecords(t *testing.T) {
	msg := proxytest.Message(proxytest.NewExt(0x1a1a, nil), proxytest.SNI(0, updates), proxytest.NewExt(extECH, []byte{0, 1, 2}))
	for i := 1; i < len(msg); i++ {
		b := proxytest.Join(proxytest.Records(msg[:i], maxRecord), proxytest.Records(msg[i:], maxRecord))
		h, fault, _, more := parse(b)
		if fault != 0 || more || h.SNI.String() != updates || !h.ECH {
			t.Fatalf("cut at %d: %q %v %v", i, h.SNI, fault, more)
		}
		if _, fault, _, more = parse(b[:len(b)-1]); fault != 0 || !more {
			t.Fatalf("cut at %d, one byte left out: %v %v", i, fault, more)
		}
	}
}

func TestHelloECH(t *testing.T) {
	for _, c := range []struct {
		kind      uint16
		ech, esni bool
	}{{extECH, true, false}, {extESNI, true, true}, {0x0a0a, false, false}} {
		h, fault, _, more := parse(proxytest.Records(proxytest.Message(proxytest.SNI(0, updates), proxytest.NewExt(c.kind, []byte{0})), maxRecord))
		if fault != 0 || more || h.ECH != c.ech || h.esni != c.esni || h.SNI.String() != updates {
			t.Errorf("%#x: %+v %v", c.kind, h, fault)
		}
	}
}

// parse reads a ClientHello from the bytes that a client sent so far; see Scan.Parse.
func parse(b []byte) (h Hello, fault rules.Reason, detail string, more bool) {
	var s Scan
	return s.Parse(b)
}
