// Spelling: upstreams that do not give the letter case of a question back.
//
// Random letter case (0x20) makes an answer harder to forge, beside the port and
// the ID. No RFC demands that a server keeps it, and some forwarders do not, or
// something between changes it. Such an upstream is asked without that
// protection, or by TCP, where nobody can inject an answer.

package dnsfilter

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// What an upstream does to the spelling of a question, as far as is known.
const (
	caseKept      = iota // or not known yet
	caseLost             // it is asked in lower case, and any spelling of the answer will do
	caseKeptByTCP        // kept by TCP only: something else answers datagrams, or changes them
)

// spellingRecheck is after how long an upstream is asked in random letter case
// again.
const caseRecheck = time.Hour

// respelledMost is how many datagrams in a row, each with a port, an ID and a
// spelling of its own, must come back respelled before one is believed. An
// attacker would have to guess the port and the ID of each.
const maxCaseChanged = 3

// spellingState is what is known of one upstream.
type caseState struct {
	how    atomic.Int32
	until  atomic.Int64 // on the filter's clock: when to look again
	warned atomic.Bool
}

// spelling returns how a server is asked at now.
func (u *server) letterCaseAt(now time.Duration) int {
	if int64(now) >= u.letterCase.until.Load() {
		return caseKept
	}
	return int(u.letterCase.how.Load())
}

// askRespelled asks a server again that has given a question back in other
// letter case, or somebody in its name: by TCP, and where that does not work by
// further datagrams.
func (f *Filter) askAgain(ctx context.Context, u *server, name string, w want, edns bool) (*dns.Msg, error) {
	if m, err := f.askAgainTCP(ctx, u, name, w, edns); err == nil || ctx.Err() != nil {
		return m, err
	}
	for n := 1; ; n++ {
		query, err := upstreamQuery(name, w, edns, true)
		if err != nil {
			return nil, err
		}
		r, err := f.roundTrip(ctx, u, "udp", query)
		switch {
		case err != nil:
			return nil, err
		case !r.caseChanged:
			return r.m, nil
		case n == maxCaseChanged-1: // the first one was seen before
			f.recordCase(u, caseLost)
			return r.m, nil
		}
	}
}

func (f *Filter) askAgainTCP(ctx context.Context, u *server, name string, w want, edns bool) (*dns.Msg, error) {
	query, err := upstreamQuery(name, w, edns, true)
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

// spellingSeen remembers what a server does, and says so the first time.
func (f *Filter) recordCase(u *server, how int32) {
	u.letterCase.until.Store(int64(f.clock() + caseRecheck))
	if u.letterCase.how.Swap(how) == how || u.letterCase.warned.Swap(how != caseKept) == (how != caseKept) {
		return
	}
	switch how {
	case caseLost:
		f.cfg.Log.Warn("upstream changes the letter case of questions: answers are accepted by port and ID alone, which is easier to forge; use tcp://, or another upstream", "upstream", u.String())
	case caseKeptByTCP:
		f.cfg.Log.Warn("the letter case of questions comes back changed in datagrams and unchanged by TCP: somebody else may answer them; the upstream is asked by TCP", "upstream", u.String())
	default:
		f.cfg.Log.Info("upstream keeps the letter case of questions again", "upstream", u.String())
	}
}
