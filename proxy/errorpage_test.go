// Denial page tests: what fits into a header field, and that no text escapes from one.

package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"sallyport/rules"
)

func TestRefusalCarriesReasonAndHint(t *testing.T) {
	t.Parallel()
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

// If a permitted destination is not reached, text and JSON name the side that failed and the step
// at which it failed.
func TestFailureSaysWhoFailed(t *testing.T) {
	t.Parallel()
	name, err := rules.ParseName("a.example")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(err error) *dialError {
		p := New(Config{Lookup: func(context.Context, *rules.Generation, rules.Name) ([]netip.Addr, error) { return nil, err }})
		_, err = p.resolve(t.Context(), rules.QuotaKey{}, &rules.Attempt{Authority: name})
		var failed *dialError
		errors.As(err, &failed)
		return failed
	}
	for _, c := range []struct {
		e            *dialError
		reason, help string
	}{
		{ask(&net.DNSError{IsNotFound: true}), "resolve", "The resolvers report that the name does not exist."},
		{ask(errors.New("no upstream")), "resolve", "No resolver gives an answer"},
		{ask(context.DeadlineExceeded), "timeout", "No resolver answered in time"},
		{ask(nil), "no address", "has no address"},
		{classify(syscall.ECONNREFUSED), "refused", "refuses connections"},
		{classify(syscall.EHOSTUNREACH), "unreachable", "no route"},
		{classify(context.DeadlineExceeded), "timeout", "The destination did not answer in time"},
		{classify(errors.New("unusual")), "failed", "failed"},
	} {
		for _, json := range []bool{false, true} {
			var b bytes.Buffer
			if err := writeFailure(&b, c.e, rules.Attempt{Authority: name}, json); err != nil {
				t.Fatal(err)
			}
			head, page, _ := strings.Cut(b.String(), "\r\n\r\n")
			if !strings.Contains(page, c.reason) || !strings.Contains(page, c.help) {
				t.Errorf("%v: want %q and %q:\n%s", c.e, c.reason, c.help, page)
			}
			// A client whose CONNECT is refused shows only the head.
			if !strings.Contains(head, "\r\nX-Sallyport-Fault: "+c.reason+"\r\nX-Sallyport-Hint: ") || strings.Contains(head, "X-Sallyport-Reason") {
				t.Errorf("%v: head\n%s", c.e, head)
			}
		}
	}
}
