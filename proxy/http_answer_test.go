// Tests of how an answer's body is copied.

package proxy

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serverBuffers is a response with buffers of its own, like net/http's.
type serverBuffers struct {
	*httptest.ResponseRecorder
	used int
}

func (s *serverBuffers) ReadFrom(r io.Reader) (int64, error) {
	s.used++
	return io.Copy(s.ResponseRecorder, r)
}

// A body of known length goes through the server's buffers; one of unknown
// length goes out piece by piece.
func TestAnswerCopies(t *testing.T) {
	for _, c := range []struct {
		what, length string
		used         int
	}{{"known", "11", 1}, {"unknown", "", 0}} {
		to := &serverBuffers{ResponseRecorder: httptest.NewRecorder()}
		w := &answer{ResponseWriter: to}
		if c.length != "" {
			w.Header().Set("Content-Length", c.length)
		}
		w.WriteHeader(http.StatusOK)
		n, err := io.Copy(w, struct{ io.Reader }{io.MultiReader(strings.NewReader("hello "), strings.NewReader("world"))})
		if n != 11 || err != nil || !bytes.Equal(to.Body.Bytes(), []byte("hello world")) {
			t.Errorf("%s length: %d bytes, %v: %q", c.what, n, err, to.Body)
		}
		if to.used != c.used || to.Flushed != (c.used == 0) {
			t.Errorf("%s length: server's buffers used %d times, want %d; flushed %v", c.what, to.used, c.used, to.Flushed)
		}
	}
}
