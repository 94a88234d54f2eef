// Datagram: answers queries that another front end received inside its own protocol.

package dnsfilter

import (
	"context"
	"net/netip"

	"sallyport/rules"
)

// Answer answers one query that a front end received in a datagram of its own protocol. The front
// end has proven that the client has the address, and who it is; nil: nothing more. Answer does not block: if an upstream must be
// asked, reply is called later from another goroutine. reply is called at most once, and not after
// Close has returned. It must not keep the bytes.
//
// The addresses of the answer are pinned to the client, also without Config.Pins: the front end
// decides about the client's datagrams to them.
func (f *Filter) Answer(ctx context.Context, client netip.AddrPort, who *rules.Identity, m []byte, reply func([]byte)) {
	q := query{msg: m, client: client, who: who, proto: rules.UDP, proven: true, pins: true}
	defer f.recovered(&q)
	out, p := f.handle(&q, make([]byte, 0, maxUDP))
	switch {
	case p == nil:
		if len(out) > 0 {
			reply(out)
		}
	case f.beginWork():
		go func() {
			defer f.work.Done()
			f.answerLater(ctx, p, reply)
		}()
	default: // after Close: the reply is a failure, at once
		f.answerLater(ctx, p, reply)
	}
}

// beginWork counts a goroutine that Close waits for. It returns false after Close.
func (f *Filter) beginWork() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life.Err() != nil {
		return false
	}
	f.work.Add(1)
	return true
}

// answerLater answers a pending query.
func (f *Filter) answerLater(ctx context.Context, p *pending, reply func([]byte)) {
	defer f.recovered(&p.q)
	if out := f.finish(context.WithoutCancel(ctx), p, make([]byte, 0, maxUDP)); len(out) > 0 {
		reply(out)
	}
}
