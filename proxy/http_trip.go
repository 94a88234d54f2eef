// HTTP trip: sends one request on a connection to its destination, and reads the answer. The
// request's body is sent by a goroutine of its own, because the answer may come before its end.

package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of what a destination may send, and of how long it may keep a client waiting.
const (
	maxResponseHead = 64 << 10
	continueWait    = time.Second           // how long to wait for 100 Continue; then the body is sent anyway
	sentWait        = 50 * time.Millisecond // how long a connection waits for the end of its request's body, after the answer
)

// A trip is one request on one connection, and its answer. The goroutine that serves the request owns it.
type trip struct {
	g *grant
	u *upstream
	r *http.Request
	l *lines

	stop    func() bool           // ends the watch over the client
	sent    chan struct{}         // closed when the body is sent, or will not be; nil: there is no body
	whole   atomic.Bool           // the body was sent to its end
	broken  atomic.Pointer[error] // why the body could not be read from the client
	proceed chan bool             // gets one value: whether the destination wants the body; nil: it need not say so
	asked   bool                  // proceed has its value
	over    bool                  // the trip has ended
	last    bool                  // the connection must not carry another request
}

// lines holds the buffers of a trip.
type lines struct {
	r bufio.Reader
	w bytes.Buffer
}

// linePool holds lines that are not in use. Its zero value is ready.
type linePool struct{ p sync.Pool }

func (p *linePool) get() *lines {
	if l, ok := p.p.Get().(*lines); ok {
		return l
	}
	return new(lines)
}

func (p *linePool) put(l *lines) {
	if l.w.Cap() <= maxResponseHead {
		l.w.Reset()
		l.r.Reset(nil)
		p.p.Put(l)
	}
}

// trip sends the request of g and returns the answer. The end of the answer's body ends the trip.
func (g *grant) trip(r *http.Request) (*http.Response, error) {
	g.lost = false
	u, err := g.s.connectionFor(r.Context(), g)
	if err != nil {
		return nil, err
	}
	if err := g.connected(u); err != nil {
		u.Close()
		return nil, err
	}
	x := &trip{g: g, u: u, r: r, l: g.s.p.lines.get(), last: r.Close}
	x.l.r.Reset(u)
	u.bound = u.bound || binds(r.Header)
	x.stop = context.AfterFunc(r.Context(), func() { u.Close() })
	resp, err := x.run()
	if err != nil {
		x.done(false)
		g.lost = true
		if broken := x.broken.Load(); broken != nil {
			err = *broken
		}
		return nil, err
	}
	return resp, nil
}

func (x *trip) run() (*http.Response, error) {
	x.head()
	if _, err := x.u.Write(x.l.w.Bytes()); err != nil {
		return nil, err
	}
	if x.g.head.HasBody() {
		x.sent = make(chan struct{})
		if len(x.r.Header["Expect"]) > 0 {
			x.proceed = make(chan bool, 1)
		}
		go x.upload()
	}
	resp, err := x.answer()
	if err != nil {
		return nil, err
	}
	x.last = x.last || resp.Close || resp.StatusCode < http.StatusOK
	resp.Body = &body{ReadCloser: resp.Body, x: x}
	return resp, nil
}

// answer reads the final answer, or a 101, and handles the interim ones before it.
func (x *trip) answer() (*http.Response, error) {
	for {
		x.u.room = maxResponseHead
		resp, err := http.ReadResponse(&x.l.r, x.r)
		if err != nil {
			return nil, err
		}
		status := resp.StatusCode
		if status < 100 || status >= http.StatusOK || status == http.StatusSwitchingProtocols {
			x.ask(false)
			return resp, nil
		}
		if status == http.StatusContinue && x.proceed != nil {
			x.g.out.proceed() // before the body is read
			x.ask(true)
		}
		if err := x.g.interim(status, textproto.MIMEHeader(resp.Header)); err != nil {
			return nil, err
		}
	}
}

// ask tells the upload whether the destination wants the body. The first answer counts.
func (x *trip) ask(wanted bool) {
	if x.proceed != nil && !x.asked {
		x.asked = true
		x.proceed <- wanted
	}
}

// head writes the request's head to the buffer. The guard has accepted every field.
func (x *trip) head() {
	w, r := &x.l.w, x.r
	for _, part := range [...]string{r.Method, " ", r.URL.RequestURI(), " HTTP/1.1\r\nHost: ", r.Host, "\r\n"} {
		w.WriteString(part)
	}
	switch {
	case !x.g.head.HasBody():
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			w.WriteString("Content-Length: 0\r\n")
		}
	case r.ContentLength >= 0:
		w.WriteString("Content-Length: " + strconv.FormatInt(r.ContentLength, 10) + "\r\n")
	default:
		w.WriteString("Transfer-Encoding: chunked\r\n")
	}
	if r.Close {
		w.WriteString("Connection: close\r\n")
	}
	r.Header.WriteSubset(w, framing)
	w.WriteString("\r\n")
}

// framing has the fields that head writes itself, or leaves out.
var framing = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true}

// upload sends the body. If the client does not send it to its end, it closes the connection: the
// destination must not take a part for the whole.
func (x *trip) upload() {
	defer close(x.sent)
	defer func() {
		if v := recover(); v != nil {
			x.g.s.guard.Panicked = fmt.Errorf("%v\n%s", v, debug.Stack())
			x.fail(errors.New("internal error"))
		}
	}()
	if x.proceed != nil && !x.mayProceed() {
		return
	}
	buf := x.g.s.p.relayBuffers.Get()
	defer x.g.s.p.relayBuffers.Put(buf)
	for {
		n, err := x.r.Body.Read(buf[chunkHead : len(buf)-chunkTail])
		if n > 0 {
			if x.send(buf[:], n) != nil {
				return // the destination may have answered before it closed
			}
		}
		switch {
		case err == io.EOF:
			if x.r.ContentLength < 0 {
				_, err = x.u.Write([]byte("0\r\n\r\n"))
			}
			x.whole.Store(err == io.EOF || err == nil)
			return
		case err != nil:
			x.fail(err)
			return
		}
	}
}

// Room for a chunk's size and line end before its data, and for the line end after it.
const (
	chunkHead = 10
	chunkTail = 2
)

// send writes n bytes of the body, which are in buf after chunkHead bytes.
func (x *trip) send(buf []byte, n int) error {
	from, to := chunkHead, chunkHead+n
	if x.r.ContentLength < 0 {
		size := fmt.Appendf(make([]byte, 0, chunkHead), "%x\r\n", n)
		from -= copy(buf[chunkHead-len(size):], size)
		to += copy(buf[to:], "\r\n")
	}
	_, err := x.u.Write(buf[from:to])
	return err
}

// mayProceed waits until the destination has asked for the body, or is silent for continueWait. It
// reports false if the trip is over before that.
func (x *trip) mayProceed() bool {
	t := time.NewTimer(continueWait)
	defer t.Stop()
	select {
	case wanted := <-x.proceed:
		return wanted
	case <-t.C:
		return true
	}
}

// fail ends the trip because of its client.
func (x *trip) fail(err error) {
	x.broken.Store(&err)
	x.u.Close()
}

// done ends the trip. If the answer was read to its end, and nothing speaks against it, the
// connection waits for another request; else done closes it.
func (x *trip) done(whole bool) {
	if x.over {
		return
	}
	here := x.release()
	if here && whole && !x.last && x.bodySent() && (!x.g.own || x.g.flow.letGo()) {
		x.g.s.keep(x.u, x.g)
		return
	}
	x.u.Close()
}

// handOver ends the trip after a 101. The connection goes on as a tunnel. It reports false if
// that is not possible.
func (x *trip) handOver() bool { return !x.over && x.release() }

// release returns the buffers and ends the watch over the client. It reports false if the client
// has left, so that the connection is closed, or if more bytes were read than the answer has.
func (x *trip) release() bool {
	x.over = true
	x.ask(false)
	here := x.stop()
	clean := x.l.r.Buffered() == 0
	x.g.s.p.lines.put(x.l)
	return here && clean
}

// bodySent reports whether the request's body was sent to its end. It waits a moment for that.
func (x *trip) bodySent() bool {
	if x.sent == nil {
		return true
	}
	select {
	case <-x.sent:
	default:
		t := time.NewTimer(sentWait)
		defer t.Stop()
		select {
		case <-x.sent:
		case <-t.C:
		}
	}
	return x.whole.Load()
}
