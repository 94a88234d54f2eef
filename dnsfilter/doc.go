// Package dnsfilter is the DNS front end and the resolver of the proxy's
// dialer: a forwarding resolver that asks about nothing that the policy does
// not permit.
//
// It promises: every message that reaches it becomes a rules.Attempt and is
// answered as the Decision says, cached answers included; no upstream query
// for a denied name; an answer holds only records of the name that was asked
// for, those behind its aliases included, and addresses that the Decision
// reaches; memory, goroutines, connections and rates are bounded; a client waits
// three seconds at most; a datagram that names a client as its source takes
// nothing from that client.
//
// It refuses: to fall back to a resolver that was not configured, to serve
// stale answers, to pass a client's EDNS options on, to hand out the keys of
// Encrypted ClientHello, and to permit the targets of a CNAME by themselves.
//
// A query takes this way: udp.go or tcp.go reads it; query.go parses it
// (malformed.go where it is not of the usual form); source_proof.go and
// cookie.go find out whether its source is proven; filter.go asks the Gate;
// cache.go has the answer, or inflight.go and exchange.go fetch it from an
// upstream; validate.go and cache_entry.go keep what may be kept; reply.go
// writes the reply (reply_filtered.go where something must be left out,
// reply_denied.go for a denial). pins.go remembers which client got which
// addresses; prefetch.go looks permitted names up before any client asks.
package dnsfilter
