// Letter case: upstreams that do not return the letter case of a question.
//
// Random letter case (0x20) makes an answer harder to forge, in addition to the
// port and the ID. No RFC demands that a server keeps the letter case. Some
// forwarders and some devices on the path change it. Such an upstream is asked
// without that protection, or by TCP, where answers cannot be injected.

package dnsfilter

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// What an upstream does to the letter case of a question.
const (
	caseKept      = iota // kept, or not known yet
	caseLost             // changed: it is asked in lower case, and any case is accepted in its answers
	caseKeptByTCP        // kept by TCP only: another host answers the datagrams, or a device changes them
)

// caseRecheck is the time after which an upstream is asked in random letter
// case again.
const caseRecheck = time.Hour

// maxCaseChanged is how many datagrams in a row must come back in another
// letter case before such a datagram is accepted. Each datagram has its own
// port, ID and letter case, so an attacker would have to guess the port and the
// ID of each.
const maxCaseChanged = 3

// caseState is what the filter knows about one upstream's letter case.
type caseState struct {
	how    atomic.Int32
	until  atomic.Int64 // time of the next check, on the filter's clock
	warned atomic.Bool
}

// letterCaseAt returns what the server does to the letter case, as known at
// now.
func (u *server) letterCaseAt(now time.Duration) int {
	if int64(now) >= u.letterCase.until.Load() {
		return caseKept
	}
	return int(u.letterCase.how.Load())
}

// askAgain asks again after an answer in another letter case. Either the server
// or a forger sent that answer. askAgain asks by TCP first, and by further
// datagrams if TCP fails.
func (f *Filter) askAgain(ctx context.Context, u *server, name string, w want, edns bool) (*dns.Msg, error) {
	if m, err := f.askAgainTCP(ctx, u, name, w, edns); err == nil || ctx.Err() != nil {
		return m, err
	}
	for n := 1; ; n++ {
		query, err := upstreamQuery(name, w, queryForm{edns: edns, mixed: true, ad: u.confirms})
		if err != nil {
			return nil, err
		}
		r, err := f.roundTrip(ctx, u, "udp", query)
		switch {
		case err != nil:
			return nil, err
		case !r.caseChanged:
			return r.m, nil
		case n == maxCaseChanged-1: // the caller saw the first datagram
			f.recordCase(u, caseLost)
			return r.m, nil
		}
	}
}

// askAgainTCP asks again by TCP and records the result.
func (f *Filter) askAgainTCP(ctx context.Context, u *server, name string, w want, edns bool) (*dns.Msg, error) {
	query, err := upstreamQuery(name, w, queryForm{edns: edns, mixed: true, ad: u.confirms})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.TryTimeout)
	defer cancel()
	r, err := f.roundTrip(ctx, u, "tcp", query)
	if err != nil {
		return nil, err
	}
	if r.caseChanged {
		f.recordCase(u, caseLost)
	} else {
		f.recordCase(u, caseKeptByTCP)
	}
	return r.m, nil
}

// recordCase records what a server does to the letter case, and logs a change.
func (f *Filter) recordCase(u *server, how int32) {
	u.letterCase.until.Store(int64(f.clock() + caseRecheck))
	if u.letterCase.how.Swap(how) == how || u.letterCase.warned.Swap(how != caseKept) == (how != caseKept) {
		return
	}
	switch how {
	case caseLost:
		f.cfg.Log.Warn("upstream changes the letter case of questions: its answers are now checked by port and ID alone and are easier to forge; use tcp:// or another upstream", "upstream", u.String())
	case caseKeptByTCP:
		f.cfg.Log.Warn("upstream changes the letter case of questions over UDP but not over TCP: another host may answer the datagrams; the upstream is now asked by TCP", "upstream", u.String())
	default:
		f.cfg.Log.Info("upstream keeps the letter case of questions again", "upstream", u.String())
	}
}
