// After the hello: inspects the bytes that a client sends after its first bytes. A second
// ClientHello must name the same server as the first, and a line that only resembled a request must
// not become a request.

package proxy

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"sallyport/proxy/head"
	"sallyport/proxy/hello"
	"sallyport/proxy/relay"
	"sallyport/rules"
)

// errDenied ends a direction after its later bytes were denied.
var errDenied = errors.New("denied")

// A tunnelRelay is the relay of one flow.
type tunnelRelay struct {
	relay.Relay
	f      *flow
	answer hello.Answer // the destination's answer to a ClientHello
	first  hello.Hello  // the client's ClientHello; set by forward
	tls    bool         // the client sent one
	cut    atomic.Bool  // the destination's end was the first to end the connection
}

// newRelay prepares the relay of a flow and starts its idle limit. The caller must call Finish.
func newRelay(f *flow) *tunnelRelay {
	r := &tunnelRelay{f: f}
	r.Down.Inspector = (*answerWatch)(r)
	r.Start(relay.Config{
		Owner: f, Client: f.c.TCP, ClientTLS: f.c.TLS, Destination: f.up.tcp, Secure: f.up.tls, In: &f.in, Out: &f.out, Started: f.started,
		Limits: relay.Limits{Idle: f.p.limits.Idle, HalfClosed: f.p.limits.HalfClosed, Slice: f.p.slice}, Buffers: &f.p.relayBuffers,
	})
	return r
}

// relay copies both ways after the verdict on s. It first sends the bytes that the client has sent
// already. It returns why the flow ended.
func (f *flow) relay(s sniffResult) rules.Cause {
	r := newRelay(f)
	defer r.Finish()
	if !r.forward(s) {
		return r.carried(rules.EndReset)
	}
	return r.run()
}

// run copies until both directions have ended, and returns why.
func (r *tunnelRelay) run() rules.Cause {
	cause := r.Run()
	if brokenOff(r.AwaitDown()) {
		r.cut.Store(true)
	}
	return r.carried(cause)
}

// forward sends the bytes that were read from the client before, and releases their buffer.
// Bytes after a ClientHello are inspected like bytes that arrive later.
func (r *tunnelRelay) forward(s sniffResult) bool {
	n := len(r.f.c.Bytes)
	if s.tls {
		n, r.tls = s.size, true
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
		if brokenOff(err) {
			r.cut.Store(true)
		}
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

// An answerWatch follows the destination's bytes until its answer to a ClientHello is known.
type answerWatch tunnelRelay

// Begin does nothing.
func (w *answerWatch) Begin() error { return nil }

// Inspect passes the bytes to the Answer, which reads them.
func (w *answerWatch) Inspect(b []byte) (more bool, err error) {
	w.answer.Feed(b)
	return !w.answer.Over(), nil
}

// End notes an end that comes before the client's, and before the answer.
func (w *answerWatch) End() error {
	w.cut.Store(!w.HalfEnded())
	return nil
}

// A helloWatch inspects the bytes that the client sends after its ClientHello.
type helloWatch tunnelRelay

// Inspect does nothing: Begin has inspected everything.
func (w *helloWatch) Inspect([]byte) (more bool, err error) { return false, nil }

// End does nothing.
func (w *helloWatch) End() error { return nil }

// Begin passes on the bytes that a client sends after its ClientHello, until the server's answer
// rules out a second ClientHello. A client can send a second ClientHello before the server asks
// for it. Begin checks each second ClientHello. It holds a ClientHello until that is complete, for
// at most the time that the first ClientHello had. It holds nothing else.
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
		return io.ErrUnexpectedEOF // the end came inside data that must still be inspected
	}
	if passed := r.pass(len(c.Bytes)); passed != nil {
		return passed
	}
	return err
}

// more waits for the client's next bytes. timed reports that a ClientHello has begun and its
// deadline is set.
func (r *tunnelRelay) more(timed bool) (bool, error) {
	c := r.f.c
	if len(c.Bytes) > 0 && c.Bytes[0] == hello.RecordHandshake && !timed {
		timed = true
		c.Deadline(r.f.p.limits.Sniff)
	}
	err := c.Fill(hello.MaxRecords)
	if timed && errors.Is(err, os.ErrDeadlineExceeded) {
		if r.answer.Settled() { // the answer arrived meanwhile, so these bytes are no ClientHello
			return timed, nil
		}
		return timed, r.denySecond(hello.Hello{}, rules.SniffTimeout, "the second ClientHello was not complete in time")
	}
	return timed, err
}

// denySecond records the denial of a second ClientHello and ends the flow.
func (r *tunnelRelay) denySecond(h hello.Hello, fault rules.Reason, detail string) error {
	a := r.f.lastAttempt()
	if a.Authority.IsZero() {
		a.Authority = a.Target() // the name of the first ClientHello
	}
	a.SNI, a.ECH, a.Raw = h.SNI, h.ECH, h.RawSNI
	r.f.deny(a, fault, detail)
	return errDenied
}

// A lineWatch follows a first line that may still become a request line.
type lineWatch struct {
	f    *flow
	line head.Line
}

// Begin does nothing.
func (w *lineWatch) Begin() error { return nil }

// Inspect denies the byte that completes a request line.
func (w *lineWatch) Inspect(b []byte) (more bool, err error) {
	like := w.line.Feed(b)
	if like == head.Alike {
		return false, w.deny()
	}
	return like == head.Perhaps, nil
}

// End denies the line if the end of the client's bytes makes it a request line.
func (w *lineWatch) End() error {
	if w.line.AtEnd() == head.Alike {
		return w.deny()
	}
	return nil
}

// deny records that an opaque flow became a request, and ends it. The beginning of the request
// was sent; the byte that completes it was not.
func (w *lineWatch) deny() error {
	w.f.deny(w.f.lastAttempt(), rules.MalformedRequest, "this byte completes a request line; the bytes before it were already relayed")
	return errDenied
}

// deny records a denial of bytes after the first bytes, and ends the flow.
func (f *flow) deny(a rules.Attempt, fault rules.Reason, detail string) {
	a.Provisional, a.Fault, a.Detail = false, fault, detail
	f.Abort(rules.EndDenied(f.p.cfg.Gate.Decide(a).Why()))
}
