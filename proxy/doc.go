// Package proxy lets clients out: those that ask for a destination by HTTP
// (absolute-form and CONNECT) or SOCKS5, and those that a packet filter
// redirects here and whose bytes tell where they go.
//
// It promises: no connection before an allow, and only to addresses that the
// decision reaches; no client byte leaves before the ClientHello, the request
// head or the first bytes have been judged; every attempt ends in exactly one
// final decision, whatever the client sent, so that the journal sees it; both
// ends of a connection are bounded in number, memory and time.
//
// It refuses: to decrypt, to cache, to share upstream connections between
// clients or names, BIND and UDP of SOCKS5, HTTP/2 towards clients, and every
// text that its strict grammars do not accept.
package proxy
