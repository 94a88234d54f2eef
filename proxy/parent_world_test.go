// What the tests of parents share: a parent that reads one request strictly, and answers as it is
// told.

package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// The parent of the tests: its place, its login, and the tables of a configuration with it.
const (
	parentAt    = "10.9.9.9:3128"
	parentLogin = "c2FsbHk6aHVudGVyMg==" // sally:hunter2
	parentKeys  = "[[parent]]\nname = \"corporate\"\nauth_file = \"login\"\nurl = \"http://" + parentAt + "\"\n"
)

// loginFile has one file: the login.
type loginFile struct{}

func (loginFile) Read(string, int) ([]byte, error)      { return []byte("sally:hunter2\n"), nil }
func (loginFile) List(string, string) ([]string, error) { return nil, nil }

// parented puts the world's configuration with parents in force.
func (w *world) parented(text string) {
	w.t.Helper()
	w.parentedWith(text, worldConfig)
}

// parentedWith puts another configuration with parents in force.
func (w *world) parentedWith(text, config string) {
	w.t.Helper()
	c, problems := site.Parse("test.toml", site.Disk{Files: loginFile{}}, []byte(text+config), nil)
	if c == nil {
		w.t.Fatal(problems)
	}
	p, _ := rules.Compile(&c.Spec, w.own, time.Now())
	w.live.Swap(&rules.Generation{Policy: p})
}

// parentWorld is a world with the parent, which is served by serve.
func parentWorld(t testing.TB, keys string, serve func(*net.TCPConn, io.Reader)) (*world, *origin) {
	w := newWorld(t, nil)
	w.parented(parentKeys + keys)
	return w, w.origin(parentAt, serve)
}

// saying returns a parent that reads the head of a request, writes text, and then sends back
// what it gets.
func saying(text string) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, r io.Reader) {
		b := bufio.NewReader(r)
		for {
			line, err := b.ReadString('\n')
			if err != nil {
				return
			}
			if line == "\r\n" {
				break
			}
		}
		io.WriteString(conn, text)
		io.Copy(conn, b)
	}
}

// refused asks for a tunnel that is permitted, and returns status, fault and hint of the answer.
func (w *world) refused(authority string) (status int, fault, hint string) {
	w.t.Helper()
	c, resp, r := w.connectTo(authority, "")
	rest, _ := io.ReadAll(r)
	c.Close()
	for _, secret := range []string{parentLogin, "hunter2"} {
		var all strings.Builder
		resp.Header.Write(&all)
		if strings.Contains(all.String()+string(rest)+resp.Status, secret) {
			w.t.Errorf("the client sees our login: %s %v %q", resp.Status, resp.Header, rest)
		}
	}
	return resp.StatusCode, resp.Header.Get("X-Sallyport-Fault"), resp.Header.Get("X-Sallyport-Hint")
}

// onlyTo checks that every connection went to the parent.
func (w *world) onlyTo(parent string) {
	w.t.Helper()
	for _, d := range w.dialed() {
		if d != netip.MustParseAddrPort(parent) {
			w.t.Errorf("connected to %v, which is not the parent", d)
		}
	}
}

// get sends a request in absolute-form and returns the answer with its body.
func (w *world) get(head string) (*http.Response, string) {
	w.t.Helper()
	c := w.dial(w.http)
	io.WriteString(c, head)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}
