// HTTP answer: a response on its way to the client, with its interim responses. Bytes that have
// arrived are sent before anything waits for more.

package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"sallyport/proxy/head"
)

// maxInterims bounds the interim responses to one request. A slow server sends 102 every 20
// seconds (RFC 2518, section 10.1): this is enough for an hour.
const maxInterims = 200

// errInterims ends a request whose destination sends only interim responses.
var errInterims = errors.New("too many interim responses")

// An answer is the response to one request. It buffers what is written. The connection to the
// destination flushes the answer before it waits for more bytes (see upstream.Read). So many small
// pieces cost one write, and no piece waits.
//
// A goroutine of http.Transport writes interim responses; hence the lock.
type answer struct {
	http.ResponseWriter
	p    *Proxy
	held atomic.Bool // something was written and not flushed

	pieces   *head.Pieces       // of a chunked body
	trailers func() http.Header // what to send after the body; nil: nothing

	mu       sync.Mutex
	interims int  // received so far
	asked    bool // 100 Continue was sent to the client
	settled  bool // no more interim responses
	over     bool // the request is served; the ResponseWriter belongs to net/http again
}

// WriteHeader writes the status. It keeps net/http from guessing a Content-Type.
func (w *answer) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.Header()
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil
	}
	w.held.Store(true)
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a piece of the body.
func (w *answer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held.Store(true)
	return w.ResponseWriter.Write(b)
}

// ReadFrom copies the body. It begins with a small buffer, enough for streams and short bodies,
// and uses a large one after a read that filled the small one.
func (w *answer) ReadFrom(src io.Reader) (int64, error) {
	small := w.p.buffers.Get()
	n, full, err := w.copy(src, small[:], true)
	w.p.buffers.Put(small)
	if !full || err != nil {
		return n, err
	}
	large := w.p.relayBuffers.Get()
	defer w.p.relayBuffers.Put(large)
	more, _, err := w.copy(src, large[:], false)
	return n + more, err
}

// copy copies until the end of src. If grow is set, it returns after one read that filled the
// buffer.
func (w *answer) copy(src io.Reader, buf []byte, grow bool) (n int64, full bool, err error) {
	for {
		got, err := src.Read(buf)
		if got > 0 {
			if _, err := w.Write(buf[:got]); err != nil {
				return n, false, err
			}
			n += int64(got)
		}
		switch {
		case err == io.EOF:
			return n, false, nil
		case err != nil:
			return n, false, err
		case grow && got == len(buf):
			return n, true, nil
		}
	}
}

// Flush sends what is buffered. It may be called at any time.
func (w *answer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, ok := w.ResponseWriter.(http.Flusher); ok && !w.over {
		w.held.Store(false)
		f.Flush()
	}
}

// interim counts one interim response of the destination, and forwards it if the client knows
// interim responses (RFC 9110, section 15.2).
func (w *answer) interim(status int, header http.Header, known bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interims++; w.interims > maxInterims {
		return errInterims
	}
	if known {
		w.forward(status, header)
	}
	return nil
}

// overrun reports whether there were too many interim responses.
func (w *answer) overrun() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.interims > maxInterims
}

// proceed sends the client its 100 Continue, once.
func (w *answer) proceed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forward(http.StatusContinue, nil)
}

func (w *answer) forward(status int, header http.Header) {
	if w.settled || status == http.StatusContinue && w.asked {
		return
	}
	w.asked = w.asked || status == http.StatusContinue
	h := w.Header()
	for name, values := range header {
		h[name] = values
	}
	w.ResponseWriter.WriteHeader(status)
	clear(h)
}

// settle ends the interim responses: the final response has arrived.
func (w *answer) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled = true
}

// finish returns the ResponseWriter to net/http, which uses it next.
func (w *answer) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled, w.over = true, true
}

// An upload is the body of a request. If the request expects 100 Continue, the client gets it when
// the body is first read. That happens when the destination has sent 100 Continue, or has sent
// nothing for continueWait (RFC 9110, section 10.1.1).
type upload struct {
	io.ReadCloser
	g       *grant
	expects bool
}

// errStopped ends the reading of a body that its destination can no longer get.
var errStopped = errors.New("the destination closed the connection")

// Read sends the client its 100 Continue before the first byte.
func (u *upload) Read(p []byte) (int, error) {
	if u.expects {
		u.g.out.proceed()
	}
	n, err := u.ReadCloser.Read(p)
	if err != nil && err != io.EOF && u.g.up.closed.Load() {
		err = errStopped // not a timeout, which it looks like
	}
	return n, err
}

// Close does nothing. http.Transport would wait for the rest of the body; the server closes it after
// the answer.
func (u *upload) Close() error { return nil }
