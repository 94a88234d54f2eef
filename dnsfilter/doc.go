// Package dnsfilter is the DNS front end, and the resolver of the proxy's
// dialer. It forwards only queries that the policy permits.
//
// It guarantees: Every message becomes a rules.Attempt, and its reply obeys the
// Decision; this holds for cached answers too. No upstream is asked about a
// denied name. An answer holds only records of the name in the question. These
// include the records at the end of its aliases. It holds only addresses that
// the Decision reaches. Memory, goroutines, connections and rates are bounded.
// A client waits three seconds at most. A datagram with a client's address as a
// forged source uses up nothing of that client's quotas.
//
// It never does these: fall back to a resolver that is not configured, serve
// expired answers, forward a client's EDNS options, return the keys of
// Encrypted ClientHello, or permit the target of a CNAME because the alias is
// permitted.
//
// A query takes this path: udp.go or tcp.go reads it. query.go parses it, or
// malformed.go does if the query is not of the usual form. source_proof.go and
// cookie.go find out whether its source is proven. filter.go asks the Gate.
// cache.go has the answer, or inflight.go and exchange.go fetch it from an
// upstream. validate.go and cache_entry.go keep the records that may be kept.
// reply.go writes the reply; reply_filtered.go does so if a record must be left
// out, and reply_denied.go writes denials. pins.go remembers which client got
// which addresses. prefetch.go looks up permitted names before any client asks.
package dnsfilter

import _ "sallyport" // this package needs Linux
