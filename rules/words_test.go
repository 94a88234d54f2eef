// Tests of the journal's words: each front end, protocol and sniff result has one, and is read back.

package rules_test

import (
	"testing"

	. "sallyport/rules"
)

func TestWordsOfTheJournal(t *testing.T) {
	for v, want := range map[Via]string{ViaUnknown: "", ViaDNS: "dns", ViaHTTP: "http", ViaConnect: "connect", ViaSOCKS5: "socks5", ViaTransparent: "transparent", ViaUDP: "udp", 99: ""} {
		text, err := v.MarshalText()
		if v.String() != want || string(text) != want || err != nil {
			t.Errorf("%d: %q, %q, %v; want %q", v, v, text, err, want)
		}
		if back, ok := ParseVia(want); v != 99 && (back != v || !ok) {
			t.Errorf("%q is read as %d, %t", want, back, ok)
		}
	}
	for p, want := range map[Proto]string{ProtoUnknown: "", TCP: "tcp", UDP: "udp", 99: ""} {
		text, err := p.MarshalText()
		if p.String() != want || string(text) != want || err != nil {
			t.Errorf("%d: %q, %q, %v; want %q", p, p, text, err, want)
		}
		if back, ok := ParseProto(want); p != 99 && (back != p || !ok) {
			t.Errorf("%q is read as %d, %t", want, back, ok)
		}
	}
	for s, want := range map[Shown]string{Unseen: "", ShownTLS: "tls", ShownHTTP: "http", ShownOpaque: "opaque", ShownSilent: "silent", 99: ""} {
		if s.String() != want {
			t.Errorf("%d: %q, want %q", s, s, want)
		}
		if back, ok := ParseShown(want); s != 99 && (back != s || !ok) {
			t.Errorf("%q is read as %d, %t", want, back, ok)
		}
	}
	// Another word means nothing, and so it permits nothing.
	via, ok1 := ParseVia("gopher")
	proto, ok2 := ParseProto("sctp")
	shown, ok3 := ParseShown("quic")
	if ok1 || ok2 || ok3 || via != ViaUnknown || proto != ProtoUnknown || shown != Unseen {
		t.Errorf("%v %t, %v %t, %v %t", via, ok1, proto, ok2, shown, ok3)
	}
}

// The zero policy has no parents and no address, and a grant of no policy has no way.
func TestNothingHasNoParents(t *testing.T) {
	var p *Policy
	var d Decision
	var g Grant
	if p.Parents() != nil || p.Routes() != nil || d.Parents() != nil || g.Route() != nil {
		t.Error("there are parents")
	}
}
