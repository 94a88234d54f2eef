// After the first bytes: a relay whose client is watched on. A second hello must name what the first did, and a
// line that was only like a request's must not become one.

package proxy

import (
	"errors"
	"io"
	"os"

	"sallyport/rules"
)

// errDenied ends a direction in which something was denied behind the first bytes.
var errDenied = errors.New("denied")

// A tunnelRelay is the relay of one flow.
type tunnelRelay struct {
	relay
	f      *flow
	answer answerScan // of the destination, to a hello
	first  hello      // of the client; set by forward
}

// newRelay prepares the relay of a flow and starts its idle limit. The caller
// must call finish.
func newRelay(f *flow) *tunnelRelay {
	r := &tunnelRelay{f: f}
	r.down.inspect = (*answerWatch)(r)
	r.start(relayConfig{
		owner: f, client: f.c.TCP, destination: f.up, in: &f.in, out: &f.out, started: f.started,
		limits: relayLimits{idle: f.p.limits.Idle, halfClosed: f.p.limits.HalfClosed, slice: f.p.slice}, buffers: &f.p.relayBuffers,
	})
	return r
}

// relay copies both ways on a flow that is judged by s, sends first what the
// client sent already, and returns why it ended.
func (f *flow) relay(s sight) rules.Cause {
	r := newRelay(f)
	defer r.finish()
	if !r.forward(s) {
		return rules.EndReset
	}
	return r.both()
}

// forward sends what was read from the client before, and lets go of it. What
// came behind a hello is judged like what comes yet.
func (r *tunnelRelay) forward(s sight) bool {
	n := len(r.f.c.Bytes)
	if s.tls {
		n = s.size
		r.first = hello{sni: s.hello.sni, hasSNI: s.hello.hasSNI, ech: s.hello.ech}
		r.up.inspect = (*helloWatch)(r)
	}
	if s.line.like == perhaps {
		r.up.inspect = &lineWatch{r.f, s.line}
	}
	err := r.pass(n)
	if len(r.f.c.Bytes) == 0 {
		r.f.c.Release()
	}
	if err != nil {
		r.f.abort(rules.EndReset)
	}
	return err == nil
}

// pass sends the first n bytes that were read from the client.
func (r *tunnelRelay) pass(n int) error {
	if n == 0 {
		return nil
	}
	err := r.up.send(r.f.c.Bytes[:n])
	r.f.c.Take(n)
	return err
}

// An answerWatch follows the destination's bytes, for the answer to a hello.
type answerWatch tunnelRelay

func (w *answerWatch) begin() error { return nil }

func (w *answerWatch) see(b []byte) (more bool, err error) {
	w.answer.take(b)
	return !w.answer.lost && !w.answer.settled.Load(), nil
}

func (w *answerWatch) end() error { return nil }

// A helloWatch judges what the client sends behind its hello.
type helloWatch tunnelRelay

func (w *helloWatch) see([]byte) (more bool, err error) { return false, nil }

func (w *helloWatch) end() error { return nil }

// begin passes on what a client sends behind its hello until there can be
// no other one, as the server has answered otherwise. A client can send one before
// it is asked for, and each is judged. Only a hello is kept until it is whole, and
// within the time that the first one had.
func (w *helloWatch) begin() error {
	r := (*tunnelRelay)(w)
	c, s, timed := r.f.c, secondScan{first: r.first}, false
	defer c.Release()
	var err error
	for err == nil && !r.answer.settled.Load() {
		n, h, fault, detail := s.next(c.Bytes)
		switch {
		case fault != rules.ReasonNone:
			err = r.denySecond(h, fault, detail)
		case n == 0:
			timed, err = r.more(timed)
		default:
			if timed {
				timed = false
				c.Deadline(0)
			}
			err = r.pass(n)
		}
	}
	if timed {
		c.Deadline(0)
	}
	if err != nil && err != io.EOF {
		return err
	}
	if !r.answer.settled.Load() && len(c.Bytes) > 0 {
		return io.ErrUnexpectedEOF // within what was still to be judged
	}
	if passed := r.pass(len(c.Bytes)); passed != nil {
		return passed
	}
	return err
}

// more waits for what the client sends next. timed: a hello has begun, and a deadline is set.
func (r *tunnelRelay) more(timed bool) (bool, error) {
	c := r.f.c
	if len(c.Bytes) > 0 && c.Bytes[0] == recordHandshake && !timed {
		timed = true
		c.Deadline(r.f.p.limits.Sniff)
	}
	err := c.Fill(maxHelloRecords)
	if timed && errors.Is(err, os.ErrDeadlineExceeded) {
		if r.answer.settled.Load() { // meanwhile, so it is none
			return timed, nil
		}
		return timed, r.denySecond(hello{}, rules.SniffTimeout, "the second ClientHello did not end")
	}
	return timed, err
}

// denySecond puts the denial of another hello on record and ends the flow.
func (r *tunnelRelay) denySecond(h hello, fault rules.Reason, detail string) error {
	a := r.f.last()
	if a.Authority.IsZero() {
		a.Authority = a.Target() // which was the first hello's name
	}
	a.SNI, a.ECH, a.Raw = h.sni, h.ech, h.sniRaw
	r.f.deny(a, fault, detail)
	return errDenied
}

// A lineWatch follows a first line that may still become a request's.
type lineWatch struct {
	f    *flow
	line lineScan
}

func (w *lineWatch) begin() error { return nil }

func (w *lineWatch) see(b []byte) (more bool, err error) {
	like := w.line.take(b)
	if like == alike {
		return false, w.deny()
	}
	return like == perhaps, nil
}

func (w *lineWatch) end() error {
	if w.line.ended() == alike {
		return w.deny()
	}
	return nil
}

// deny puts on record that an opaque flow became a request, and ends it.
// Its beginning is gone; the byte that makes it one is not.
func (w *lineWatch) deny() error {
	w.f.deny(w.f.last(), rules.MalformedRequest, "a request whose line was not sent at once")
	return errDenied
}

// deny puts a denial of what came behind the first bytes on record, and ends the
// flow.
func (f *flow) deny(a rules.Attempt, fault rules.Reason, detail string) {
	a.Provisional, a.Fault, a.Detail = false, fault, detail
	f.abort(rules.EndDenied(f.p.cfg.Gate.Decide(a).Why()))
}
