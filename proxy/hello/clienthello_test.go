// Tests of the ClientHello parser, written from RFC 8446, RFC 6066 and RFC 9849.

package hello

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"sallyport/rules"
)

// An ext is one extension of a ClientHello made by hand.
type ext struct {
	kind uint16
	data []byte
}

// sniExt is a server_name extension with one entry for each name.
func sniExt(nameType uint8, names ...string) ext {
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, n := range names {
			b.AddUint8(nameType)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(n)) })
		}
	})
	return ext{extServerName, b.BytesOrPanic()}
}

// message is a ClientHello handshake message without records.
func message(exts ...ext) []byte {
	var b cryptobyte.Builder
	b.AddUint8(TypeClientHello)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(0x0303)
		b.AddBytes(bytes.Repeat([]byte{7}, 32))
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(bytes.Repeat([]byte{9}, 32)) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16(0x1a1a); b.AddUint16(0x1301) })
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint8(0) })
		if len(exts) == 0 {
			return
		}
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, e := range exts {
				b.AddUint16(e.kind)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.data) })
			}
		})
	})
	return b.BytesOrPanic()
}

// records cuts a message into records of at most size bytes.
func records(msg []byte, size int) []byte {
	var out []byte
	for len(msg) > 0 {
		n := min(size, len(msg))
		out = append(out, RecordHandshake, 3, 1, byte(n>>8), byte(n))
		out = append(out, msg[:n]...)
		msg = msg[n:]
	}
	return out
}

func rec(kind, major byte, frag []byte) []byte {
	return append([]byte{kind, major, 1, byte(len(frag) >> 8), byte(len(frag))}, frag...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// patched returns a copy of b with b[i] = v.
func patched(b []byte, i int, v byte) []byte {
	b = bytes.Clone(b)
	b[i] = v
	return b
}

func name(t testing.TB, s string) rules.Name {
	t.Helper()
	n, err := rules.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const updates = "download.sangfor.com"

func TestHello(t *testing.T) {
	good := message(sniExt(0, updates))
	one := records(good, maxRecord)
	long := message(sniExt(0, updates), ext{21, make([]byte, maxHello-4-2-32-33-6-2-2-4-4-5-len(updates))})
	if len(long) != maxHello {
		t.Fatalf("the longest hello has %d bytes", len(long))
	}
	tooLong := message(sniExt(0, updates), ext{21, make([]byte, maxHello)})
	cases := []struct {
		name  string
		bytes []byte
		fault rules.Reason
		sni   string // of a complete ClientHello; "": none
	}{
		{"plain", one, 0, updates},
		{"upper case is folded", records(message(sniExt(0, "DownLoad.Sangfor.COM")), maxRecord), 0, updates},
		{"one trailing dot is removed", records(message(sniExt(0, updates+".")), maxRecord), 0, updates},
		{"no server_name", records(message(ext{10, []byte{0, 2, 0, 29}}), maxRecord), 0, ""},
		{"no extensions at all", records(message(), maxRecord), 0, ""},
		{"GREASE extensions", records(message(ext{0x0a0a, nil}, sniExt(0, updates), ext{0xfafa, []byte{0}}), maxRecord), 0, updates},
		{"records of one byte", records(good, 1), 0, updates},
		{"one byte left for a second record", records(good, len(good)-1), 0, updates},
		{"handshake header cut", join(records(good[:2], 2), records(good[2:], maxRecord)), 0, updates},
		{"other records behind it", join(one, rec(20, 3, []byte{1}), rec(23, 3, []byte("early"))), 0, updates},
		{"exactly 16 KiB", records(long, maxRecord), 0, updates},

		{"more than 16 KiB", records(tooLong, maxRecord), rules.SniffTooLong, ""},
		{"declares 16 MiB", rec(22, 3, []byte{1, 0xff, 0xff, 0xff}), rules.SniffTooLong, ""},
		{"64 KiB of record headers", records(long, 1), rules.SniffTooLong, ""},

		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), rules.NotTLS, ""},
		{"SSH", []byte("SSH-2.0-OpenSSH_10\r\n"), rules.NotTLS, ""},
		{"SSLv2 hello", []byte{0x80, 0x2e, 1, 3, 1, 0, 21, 0, 0, 0, 16}, rules.NotTLS, ""},
		{"alert first", join(rec(21, 3, []byte{1, 0}), one), rules.NotTLS, ""},
		{"ChangeCipherSpec first", join(rec(20, 3, []byte{1}), one), rules.NotTLS, ""},
		{"application data first", join(rec(23, 3, []byte("x")), one), rules.NotTLS, ""},
		{"record version 2.0", patched(one, 1, 2), rules.NotTLS, ""},
		{"record version 7f7f", patched(patched(one, 1, 0x7f), 2, 0x7f), rules.NotTLS, ""},

		{"empty record first", join(rec(22, 3, nil), one), rules.MalformedRequest, ""},
		{"empty record inside", join(records(good[:9], 9), rec(22, 3, nil), records(good[9:], 99)), rules.MalformedRequest, ""},
		{"record of 16385", rec(22, 3, make([]byte, maxRecord+1)), rules.MalformedRequest, ""},
		{"alert inside", join(records(good[:9], 9), rec(21, 3, []byte{1, 0}), records(good[9:], 99)), rules.MalformedRequest, ""},
		{"version changes inside", join(records(good[:9], 9), rec(22, 2, good[9:])), rules.MalformedRequest, ""},
		{"HelloRequest before", join(rec(22, 3, []byte{0, 0, 0, 0}), one), rules.MalformedRequest, ""},
		{"second hello in the record", rec(22, 3, join(good, good)), rules.MalformedRequest, ""},
		{"a byte behind the hello in its last record", join(records(good[:20], 20), rec(22, 3, append(good[20:len(good):len(good)], 0))), rules.MalformedRequest, ""},
		{"extension overruns", records(patched(good, len(good)-len(updates)-6, 0xff), maxRecord), rules.MalformedRequest, ""},
		{"list overruns", records(patched(good, len(good)-len(updates)-4, 0xff), maxRecord), rules.MalformedRequest, ""},
		{"list is shorter than its name", records(patched(good, len(good)-len(updates)-4, 9), maxRecord), rules.MalformedRequest, ""},
		{"name overruns", records(patched(good, len(good)-len(updates)-1, 0xff), maxRecord), rules.MalformedRequest, ""},
		{"session id of 33", records(patched(good, 4+34, 33), maxRecord), rules.MalformedRequest, ""},
		{"client version 2.0", records(patched(good, 4, 2), maxRecord), rules.MalformedRequest, ""},

		{"two server_name extensions", records(message(sniExt(0, updates), sniExt(0, updates)), maxRecord), rules.MalformedName, ""},
		{"two, the first unreadable", records(message(ext{0, nil}, sniExt(0, updates)), maxRecord), rules.MalformedRequest, ""},
		{"two names in one list", records(message(sniExt(0, updates, updates)), maxRecord), rules.MalformedName, ""},
		{"unknown name type", records(message(sniExt(1, updates)), maxRecord), rules.MalformedName, ""},
		{"empty list", records(message(sniExt(0)), maxRecord), rules.MalformedName, ""},
		{"empty name", records(message(sniExt(0, "")), maxRecord), rules.MalformedName, ""},
		{"NUL", records(message(sniExt(0, "evil.example\x00."+updates)), maxRecord), rules.MalformedName, ""},
		{"newline", records(message(sniExt(0, updates+"\n")), maxRecord), rules.MalformedName, ""},
		{"port", records(message(sniExt(0, updates+":443")), maxRecord), rules.MalformedName, ""},
		{"IPv4 literal", records(message(sniExt(0, "192.0.2.1")), maxRecord), rules.MalformedName, ""},
		{"IPv6 literal", records(message(sniExt(0, "2001:db8::1")), maxRecord), rules.MalformedName, ""},
		{"leading dot", records(message(sniExt(0, "."+updates)), maxRecord), rules.MalformedName, ""},
		{"308 bytes", records(message(sniExt(0, strings.Repeat("abcdefghij.", 28))), maxRecord), rules.MalformedName, ""},
		{"label of 64", records(message(sniExt(0, strings.Repeat("a", 64)+".example")), maxRecord), rules.MalformedName, ""},
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
	msg := message(ext{0x1a1a, nil}, sniExt(0, updates), ext{extECH, []byte{0, 1, 2}})
	for i := 1; i < len(msg); i++ {
		b := join(records(msg[:i], maxRecord), records(msg[i:], maxRecord))
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
		h, fault, _, more := parse(records(message(sniExt(0, updates), ext{c.kind, []byte{0}}), maxRecord))
		if fault != 0 || more || h.ECH != c.ech || h.esni != c.esni || h.SNI.String() != updates {
			t.Errorf("%#x: %+v %v", c.kind, h, fault)
		}
	}
}
