// Error page: what a header can carry, and that no text breaks out of it.

package proxy

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
)

func TestRefusalCarriesReasonAndHint(t *testing.T) {
	var b bytes.Buffer
	body := errorBody{Error: "denied", Reason: "not_listed", Hint: "bad\r\nX-Evil: 1 \u202e\x1b[31m name"}
	if err := writePage(&b, http.StatusForbidden, body, false); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(&b), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("X-Sallyport-Reason"); got != "not_listed" {
		t.Errorf("reason %q", got)
	}
	if got, want := resp.Header.Get("X-Sallyport-Hint"), "bad??X-Evil: 1 ??[31m name"; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	if resp.Header.Get("X-Evil") != "" {
		t.Error("a hint became a header")
	}
}
