// After the first bytes: a relay whose client is watched on. A second hello must name what the first did, and a
// line that was only like a request's must not become one.

package proxy

import (
	"errors"
	"io"
	"os"

	"sallyport/proxy/head"
	"sallyport/proxy/hello"
	"sallyport/proxy/relay"
	"sallyport/rules"
)

// errDenied ends a direction in which something was denied behind the first bytes.
var errDenied = errors.New("denied")

// A tunnelRelay is the relay of one flow.
type tunnelRelay struct {
	relay.Relay
	f      *flow
	answer hello.Answer // of the destination, to a hello
	first  hello.Hello  // of the client; set by forward
}

// newRelay prepares the relay of a flow and starts its idle limit. The caller
// must call finish.
func newRelay(f *flow) *tunnelRelay {
	r := &tunnelRelay{f: f}
	r.Down.Inspector = (*answerWatch)(r)
	r.Start(relay.Config{
		Owner: f, Client: f.c.TCP, Destination: f.up, In: &f.in, Out: &f.out, Started: f.started,
		Limits: relay.Limits{Idle: f.p.limits.Idle, HalfClosed: f.p.limits.HalfClosed, Slice: f.p.slice}, Buffers: &f.p.relayBuffers,
	})
	return r
}

// relay copies both ways on a flow that is judged by s, sends first what the
// client sent already, and returns why it ended.
func (f *flow) relay(s sniffResult) rules.Cause {
	r := newRelay(f)
	defer r.Finish()
	if !r.forward(s) {
		return rules.EndReset
	}
	return r.Run()
}

// forward sends what was read from the client before, and lets go of it. What
// came behind a hello is judged like what comes yet.
func (r *tunnelRelay) forward(s sniffResult) bool {
	n := len(r.f.c.Bytes)
	if s.tls {
		n = s.size
		r.first = hello.Hello{SNI: s.hello.SNI, HasSNI: s.hello.HasSNI, ECH: s.hello.ECH}
		r.Up.Inspector = (*helloWatch)(r)
	}
	if s.line.Like == head.Perhaps {
		r.Up.Inspector = &lineWatch{r.f, s.line}
	}
	err := r.pass(n)
	if len(r.f.c.Bytes) == 0 {
		r.f.c.Release()
	}
	if err != nil {
		r.f.Abort(rules.EndReset)
	}
	return err == nil
}

// pass sends the first n bytes that were read from the client.
func (r *tunnelRelay) pass(n int) error {
	if n == 0 {
		return nil
	}
	err := r.Up.Send(r.f.c.Bytes[:n])
	r.f.c.Discard(n)
	return err
}

// An answerWatch follows the destination's bytes, for the answer to a hello.
type answerWatch tunnelRelay

func (w *answerWatch) Begin() error { return nil }

func (w *answerWatch) Inspect(b []byte) (more bool, err error) {
	w.answer.Feed(b)
	return !w.answer.Over(), nil
}

func (w *answerWatch) End() error { return nil }

// A helloWatch judges what the client sends behind its hello.
type helloWatch tunnelRelay

func (w *helloWatch) Inspect([]byte) (more bool, err error) { return false, nil }

func (w *helloWatch) End() error { return nil }

// Begin passes on what a client sends behind its hello until there can be
// no other one, as the server has answered otherwise. A client can send one before
// it is asked for, and each is judged. Only a hello is kept until it is whole, and
// within the time that the first one had.
func (w *helloWatch) Begin() error {
	r := (*tunnelRelay)(w)
	c, s, timed := r.f.c, hello.Second{First: r.first}, false
	defer c.Release()
	var err error
	for err == nil && !r.answer.Settled() {
		n, h, fault, detail := s.Next(c.Bytes)
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
	if !r.answer.Settled() && len(c.Bytes) > 0 {
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
	if len(c.Bytes) > 0 && c.Bytes[0] == hello.RecordHandshake && !timed {
		timed = true
		c.Deadline(r.f.p.limits.Sniff)
	}
	err := c.Fill(hello.MaxRecords)
	if timed && errors.Is(err, os.ErrDeadlineExceeded) {
		if r.answer.Settled() { // meanwhile, so it is none
			return timed, nil
		}
		return timed, r.denySecond(hello.Hello{}, rules.SniffTimeout, "the second ClientHello did not end")
	}
	return timed, err
}

// denySecond puts the denial of another hello on record and ends the flow.
func (r *tunnelRelay) denySecond(h hello.Hello, fault rules.Reason, detail string) error {
	a := r.f.lastAttempt()
	if a.Authority.IsZero() {
		a.Authority = a.Target() // which was the first hello's name
	}
	a.SNI, a.ECH, a.Raw = h.SNI, h.ECH, h.RawSNI
	r.f.deny(a, fault, detail)
	return errDenied
}

// A lineWatch follows a first line that may still become a request's.
type lineWatch struct {
	f    *flow
	line head.Line
}

func (w *lineWatch) Begin() error { return nil }

func (w *lineWatch) Inspect(b []byte) (more bool, err error) {
	like := w.line.Feed(b)
	if like == head.Alike {
		return false, w.deny()
	}
	return like == head.Perhaps, nil
}

func (w *lineWatch) End() error {
	if w.line.AtEnd() == head.Alike {
		return w.deny()
	}
	return nil
}

// deny puts on record that an opaque flow became a request, and ends it.
// Its beginning is gone; the byte that makes it one is not.
func (w *lineWatch) deny() error {
	w.f.deny(w.f.lastAttempt(), rules.MalformedRequest, "a request whose line was not sent at once")
	return errDenied
}

// deny puts a denial of what came behind the first bytes on record, and ends the
// flow.
func (f *flow) deny(a rules.Attempt, fault rules.Reason, detail string) {
	a.Provisional, a.Fault, a.Detail = false, fault, detail
	f.Abort(rules.EndDenied(f.p.cfg.Gate.Decide(a).Why()))
}
