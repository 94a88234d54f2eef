// Question: the message that asks an upstream.

package dnsfilter

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// queryForm is how a question is packed.
type queryForm struct {
	edns   bool
	mixed  bool // in random letter case
	ad     bool // asks whether DNSSEC proves the answer (RFC 6840, section 5.7)
	padded bool // to a multiple of 128 octets, which hides its length (RFC 8467, section 4.1); only with edns
}

// paddedTo is the unit of padded questions.
const paddedTo = 128

// upstreamQuery packs a question with a random ID.
func upstreamQuery(name string, w want, form queryForm) ([]byte, error) {
	var random [2 + 32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	m := dns.Msg{Question: []dns.Question{{Name: name, Qtype: w.qtype, Qclass: dns.ClassINET}}}
	m.Id = binary.BigEndian.Uint16(random[:])
	m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = true, w.cd, form.ad
	if form.edns {
		m.SetEdns0(maxUDP, w.do)
	}
	if form.edns && form.padded {
		padding := new(dns.EDNS0_PADDING)
		m.IsEdns0().Option = []dns.EDNS0{padding}
		padding.Padding = make([]byte, (paddedTo-m.Len()%paddedTo)%paddedTo)
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
		if form.mixed && 'a' <= c && c <= 'z' && random[2+i/8]>>(i%8)&1 == 1 {
			query[headerSize+i] = c &^ 0x20
		}
	}
	return query, nil
}
