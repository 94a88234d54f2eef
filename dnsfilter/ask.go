// Ask: one question to one upstream, on a socket of its own.

package dnsfilter

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// Why an upstream's bytes are no answer.
var (
	errMismatch  = errors.New("reply is to another question")
	errNoEDNS    = errors.New("server does not understand EDNS")
	errTruncated = errors.New("reply is truncated")
	errSwollen   = errors.New("reply has more than 512 records")
)

// maxUnpacked bounds the records that are read of a reply: each can take a
// kilobyte, of a name that the message has once.
const maxUnpacked = 2 * maxRecords

// ask sends one question: by datagram from a fresh source port, with a random
// ID and random letter case (0x20), by TCP when the answer is truncated, and
// again without EDNS when the server does not know that. name ends in a dot.
// Nothing of a client's EDNS options is passed on. A probe is about the server,
// and not about the name: its answer can be missing.
func (f *Filter) ask(ctx context.Context, u *server, name string, qtype uint16, probe bool) (m *dns.Msg, err error) {
	began := f.clock()
	defer func() {
		if ctx.Err() != context.Canceled { // our own end is not the server's fault
			f.note(u, err == nil, probe, f.clock()-began)
		}
	}()
	for _, edns := range [...]bool{true, false} {
		m, err = f.askOnce(ctx, u, name, qtype, edns, probe)
		if !errors.Is(err, errNoEDNS) {
			break
		}
	}
	return m, err
}

func (f *Filter) askOnce(ctx context.Context, u *server, name string, qtype uint16, edns, probe bool) (*dns.Msg, error) {
	query, err := upstreamQuery(name, qtype, edns)
	if err != nil {
		return nil, err
	}
	network := u.Proto.String()
	for {
		m, err := f.talk(ctx, network, u.text, query)
		if errors.Is(err, errTruncated) && network == "udp" {
			if probe {
				return nil, nil // it answers: that is all a probe asks, also where TCP is shut
			}
			network = "tcp"
			continue
		}
		return m, err
	}
}

// upstreamQuery packs a question with a random ID and random letter case.
func upstreamQuery(name string, qtype uint16, edns bool) ([]byte, error) {
	var random [2 + 32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	m := dns.Msg{Question: []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}}
	m.Id = binary.BigEndian.Uint16(random[:])
	m.RecursionDesired = true
	if edns {
		m.SetEdns0(maxUDP, false)
	}
	query, err := m.Pack()
	if err != nil {
		return nil, err
	}
	end, ok := skipPlainName(query, headerSize)
	if !ok {
		return nil, rules.ErrNameLong
	}
	for i, c := range query[headerSize:end] {
		if 'a' <= c && c <= 'z' && random[2+i/8]>>(i%8)&1 == 1 {
			query[headerSize+i] = c &^ 0x20
		}
	}
	return query, nil
}

// talk sends a packed query over a new connection and waits for its answer.
func (f *Filter) talk(ctx context.Context, network, address string, query []byte) (*dns.Msg, error) {
	conn, err := f.cfg.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		return talkTCP(conn, query)
	}
	return talkUDP(conn, query)
}

// talkUDP waits for the datagram that answers the query. Whatever else
// arrives — another ID, another question or spelling, no message — is ignored
// until the deadline: an attacker's guess must not end the wait.
func talkUDP(conn net.Conn, query []byte) (*dns.Msg, error) {
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		m, err := readReply(buf[:n], query)
		if err == nil || errors.Is(err, errNoEDNS) || errors.Is(err, errTruncated) {
			return m, err
		}
	}
}

// talkTCP reads one message; a wrong one is an error, as nobody can inject it.
func talkTCP(conn net.Conn, query []byte) (*dns.Msg, error) {
	framed := append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query))), query...)
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	return readReply(buf, query)
}

// readReply parses r if it answers the query: same ID, and the very question,
// letter case included.
func readReply(r, query []byte) (*dns.Msg, error) {
	if len(r) < headerSize || r[0] != query[0] || r[1] != query[1] {
		return nil, errMismatch
	}
	flags := binary.BigEndian.Uint16(r[2:])
	if flags&flagQR == 0 || flags&opcodeMask != 0 {
		return nil, errMismatch
	}
	edns := query[11] == 1
	rcode := int(flags & 0xf)
	if len(r) == headerSize && edns && (rcode == rcodeFormErr || rcode == rcodeNotImp) {
		return nil, errNoEDNS // such servers send the bare header
	}
	end, _ := skipPlainName(query, headerSize)
	end += 4
	if binary.BigEndian.Uint16(r[4:]) != 1 || len(r) < end || !bytes.Equal(r[headerSize:end], query[headerSize:end]) {
		return nil, errMismatch
	}
	if edns && (rcode == rcodeFormErr || rcode == rcodeNotImp) {
		return nil, errNoEDNS
	}
	if flags&flagTC != 0 {
		return nil, errTruncated
	}
	records := 0
	for i := 6; i < headerSize; i += 2 {
		records += int(binary.BigEndian.Uint16(r[i:]))
	}
	if records > maxUnpacked {
		return nil, errSwollen
	}
	m := new(dns.Msg)
	if err := m.Unpack(r); err != nil {
		return nil, err
	}
	return m, nil
}
