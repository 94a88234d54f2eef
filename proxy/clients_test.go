// Tests of requests as clients write them. testdata/clients has the bytes; sources.txt says
// where each form comes from and what its verdict is.

package proxy

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/rules"
)

func TestRequestsAsClientsWriteThem(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "clients")
	list, err := os.ReadFile(filepath.Join(dir, "sources.txt"))
	if err != nil {
		t.Fatal(err)
	}
	listed := 0
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		listed++
		parts := strings.Split(strings.TrimSpace(line), "\t")
		if len(parts) != 3 {
			t.Fatalf("%q", line)
		}
		t.Run(parts[0], func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, parts[0]+".http"))
			if err != nil {
				t.Fatal(err)
			}
			verdict, reason, _ := strings.Cut(parts[2], " ")
			asClient(t, string(text), verdict == "allow", reason)
		})
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.http")); len(files) != listed {
		t.Errorf("%d files, %d in the list", len(files), listed)
	}
}

// asClient sends text and, after a granted CONNECT, a ClientHello.
func asClient(t *testing.T, text string, allowed bool, reason string) {
	t.Helper()
	w := newWorld(t, nil)
	plain, tls := w.origin("8.8.8.8:80", answering(okAnswer)), w.origin("8.8.8.8:443", echo)
	e := w.exchange(text)
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(e.r), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	hello := string(helloFor(t, "a.example"))
	if method == http.MethodConnect && resp.StatusCode == http.StatusOK {
		e.send(hello)
	}
	if !allowed {
		w.eventually("denial", func() bool { return len(w.journal.decisions()) == 1 })
		r := w.journal.decisions()[0]
		if r.d.Allowed() || r.d.Why().String() != reason || resp.Header.Get("X-Sallyport-Reason") != reason {
			t.Errorf("%v %v (%s), told %q; want deny %s", r.d.Verdict, r.d.Why(), r.a.Detail, resp.Header.Get("X-Sallyport-Reason"), reason)
		}
		if got := plain.received() + tls.received(); got != "" || len(w.dialed()) > 0 {
			t.Errorf("dialed %v, arrived %q", w.dialed(), got)
		}
		return
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	r := w.wantOne(rules.Allow, rules.ReasonNone)
	if r.a.Authority.String() != "a.example" {
		t.Errorf("authority %v", r.a.Authority)
	}
	if method == http.MethodConnect {
		w.eventually("hello", func() bool { return tls.received() == hello })
	} else if !strings.Contains(plain.received(), "\r\nHost: a.example\r\n") {
		t.Errorf("arrived %q", plain.received())
	}
}
