// Tests of the form for the token.

package page

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// The form says what was wrong with the last try. Its text cannot become markup, and no other site
// can frame the page or run a script in it.
func TestWriteLogin(t *testing.T) {
	w := httptest.NewRecorder()
	WriteLogin(w, 401, `the token is <script>alert(1)</script> wrong`)
	r, body := w.Result(), w.Body.String()
	if r.StatusCode != 401 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if !strings.Contains(body, "<form") || !strings.Contains(body, `type="password"`) || !strings.Contains(body, "the token is &lt;script&gt;") || strings.Contains(body, "<script>alert") {
		t.Errorf("%s", body)
	}
	w = httptest.NewRecorder()
	WriteLogin(w, 200, "")
	if strings.Contains(w.Body.String(), "the token is") {
		t.Errorf("a first try has a problem: %s", w.Body)
	}
}
