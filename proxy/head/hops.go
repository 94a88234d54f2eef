// Head, hops: the fields by which a client asks this proxy for something: to switch protocols, to
// forward trailers, to count hops.

package head

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// A hop is what the fields of one hop ask for.
type hop struct {
	upgrade   bool   // Connection lists upgrade
	websocket bool   // Upgrade lists websocket
	te        bool   // Connection lists te
	trailers  bool   // TE lists trailers
	keys      int    // how many Sec-WebSocket-Key fields there are
	key       string // the first one
	counted   bool   // there is a Max-Forwards field that is about this request
	left      int    // its value
}

// Upgrade returns the value of Sec-WebSocket-Key if the request asks to switch to WebSocket in
// the way that RFC 9110, section 7.8, and RFC 6455, section 4.1, demand: GET in HTTP/1.1 without
// a body, with one key. Otherwise it returns "": the server may then ignore Upgrade, and so may a
// proxy. No other protocol is forwarded: h2c and TLS would hide what follows from each check, and
// others have no way to prove that a 101 is meant for this request.
func (h *Head) Upgrade() string {
	if !h.hop.upgrade || !h.hop.websocket || h.hop.keys != 1 || !h.HTTP11 || h.Method != http.MethodGet || h.HasBody() || h.Expects {
		return ""
	}
	if nonce, err := base64.StdEncoding.Strict().DecodeString(h.hop.key); err != nil || len(nonce) != 16 {
		return ""
	}
	return h.hop.key
}

// Trailers reports whether the client, and every client behind it, reads trailers (RFC 9110,
// section 10.1.4). A TE that Connection does not list may come from further away.
func (h *Head) Trailers() bool { return h.hop.te && h.hop.trailers && h.HTTP11 }

// MaxForwards returns how often the request may still be forwarded. It reports false if there is
// no bound.
func (h *Head) MaxForwards() (int, bool) { return h.hop.left, h.hop.counted }

// maxHops is the largest Max-Forwards that is forwarded; a larger one becomes this (RFC 9110,
// section 7.6.2).
const maxHops = 1000

// hopsField reads Max-Forwards, which counts for TRACE and OPTIONS. Other methods may ignore it.
func (h *Head) hopsField(value string) *headFault {
	if h.Method != http.MethodTrace && h.Method != http.MethodOptions {
		return nil
	}
	if h.hop.counted || value == "" {
		return malformed("broken or repeated Max-Forwards")
	}
	h.hop.counted = true
	for i := 0; i < len(value); i++ {
		if value[i] < '0' || value[i] > '9' {
			return malformed("broken or repeated Max-Forwards")
		}
		h.hop.left = min(h.hop.left*10+int(value[i]-'0'), maxHops+1)
	}
	return nil
}

// teField looks for trailers. Transfer codings are this proxy's own matter.
func (h *Head) teField(value string) {
	for item := range strings.SplitSeq(value, ",") {
		h.hop.trailers = h.hop.trailers || strings.EqualFold(strings.Trim(item, " \t"), "trailers")
	}
}

// upgradeField looks for websocket among the protocols.
func (h *Head) upgradeField(value string) {
	for item := range strings.SplitSeq(value, ",") {
		h.hop.websocket = h.hop.websocket || strings.EqualFold(strings.Trim(item, " \t"), "websocket")
	}
}

// keyField keeps the key of a WebSocket handshake.
func (h *Head) keyField(value string) {
	if h.hop.keys++; h.hop.keys == 1 {
		h.hop.key = strings.Clone(value) // outlives the head
	}
}
