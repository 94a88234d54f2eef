// Package proxy connects clients to the destinations that they may reach. Clients ask for a
// destination by HTTP (absolute-form and CONNECT) or SOCKS5 (CONNECT and UDP ASSOCIATE), or a packet
// filter redirects their connections here.
//
// It guarantees:
//
//   - Nothing is connected before an allow, and only addresses that the decision reaches.
//   - No byte of the client is sent on before the ClientHello, the request head or the first
//     bytes are judged.
//   - Every attempt ends in exactly one final decision, whatever the client sent, so that the
//     journal records it.
//   - Both ends of a connection are bounded in number, memory and time.
//
// It does not decrypt, cache, or share upstream connections between clients or names. It
// refuses BIND of SOCKS5, fragmented datagrams, HTTP/2 from clients, and every text that its
// strict grammars do not accept.
package proxy
