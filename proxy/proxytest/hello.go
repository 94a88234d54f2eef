// Hello: ClientHellos made by hand, and the list of the clients that uTLS imitates.

package proxytest

import (
	"bytes"
	"errors"
	"net"

	utls "github.com/refraction-networking/utls"
	"golang.org/x/crypto/cryptobyte"
)

// An Ext is one extension of a ClientHello made by hand.
type Ext struct {
	kind uint16
	data []byte
}

// NewExt returns an extension of a kind with any data.
func NewExt(kind uint16, data []byte) Ext { return Ext{kind, data} }

// SNI returns a server_name extension with one entry for each name.
func SNI(nameType uint8, names ...string) Ext {
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, n := range names {
			b.AddUint8(nameType)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(n)) })
		}
	})
	return Ext{0, b.BytesOrPanic()}
}

// Message returns a ClientHello handshake message without records.
func Message(exts ...Ext) []byte {
	var b cryptobyte.Builder
	b.AddUint8(1)
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

// Records cuts a message into records of at most size bytes.
func Records(msg []byte, size int) []byte {
	var out []byte
	for len(msg) > 0 {
		n := min(size, len(msg))
		out = append(out, 22, 3, 1, byte(n>>8), byte(n))
		out = append(out, msg[:n]...)
		msg = msg[n:]
	}
	return out
}

// Record returns one record of a kind and a major version.
func Record(kind, major byte, frag []byte) []byte {
	return append([]byte{kind, major, 1, byte(len(frag) >> 8), byte(len(frag))}, frag...)
}

// Join returns its parts as one.
func Join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// A RecordConn is a connection without a peer. It keeps the bytes that are written.
type RecordConn struct {
	net.Conn
	Sent bytes.Buffer
}

// Write keeps b.
func (c *RecordConn) Write(b []byte) (int, error) { return c.Sent.Write(b) }

// Read fails, because there is no peer.
func (c *RecordConn) Read([]byte) (int, error) { return 0, errors.New("no answer") }

// Parrots returns the clients that uTLS imitates.
func Parrots() []utls.ClientHelloID {
	return []utls.ClientHelloID{
		utls.HelloFirefox_55, utls.HelloFirefox_56, utls.HelloFirefox_63, utls.HelloFirefox_65, utls.HelloFirefox_99,
		utls.HelloFirefox_102, utls.HelloFirefox_105, utls.HelloFirefox_120,
		utls.HelloChrome_58, utls.HelloChrome_62, utls.HelloChrome_70, utls.HelloChrome_72, utls.HelloChrome_83,
		utls.HelloChrome_87, utls.HelloChrome_96, utls.HelloChrome_100, utls.HelloChrome_102, utls.HelloChrome_106_Shuffle,
		utls.HelloChrome_112_PSK_Shuf, utls.HelloChrome_114_Padding_PSK_Shuf, utls.HelloChrome_115_PQ,
		utls.HelloChrome_115_PQ_PSK, utls.HelloChrome_120, utls.HelloChrome_120_PQ, utls.HelloChrome_131, utls.HelloChrome_133,
		utls.HelloIOS_11_1, utls.HelloIOS_12_1, utls.HelloIOS_13, utls.HelloIOS_14, utls.HelloAndroid_11_OkHttp,
		utls.HelloEdge_85, utls.HelloEdge_106, utls.HelloSafari_16_0, utls.Hello360_7_5, utls.Hello360_11_0,
		utls.HelloQQ_11_1, utls.HelloRandomized, utls.HelloRandomizedALPN, utls.HelloRandomizedNoALPN,
	}
}
