//go:build linux

// WebSocket on plain HTTP, and what else HTTP/1.1 sends before an answer, with real programs: a
// server in Python behind HAProxy, and Chromium, Python and curl as clients.

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// webSocketAddress is the address of ws.corp.example. Its port 80 leads to HAProxy, which passes
// WebSocket on to the server.
const webSocketAddress = "93.184.241.1"

const webSocketServer = `
global
	maxconn 100
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
	timeout tunnel 1h
frontend f
	bind 0.0.0.0:8092
	http-request early-hint Link "</style.css>; rel=preload" if { path /hints }
	http-request return status 200 content-type text/plain string "hinted" if { path /hints }
	http-request wait-for-body time 5s if { path /upload }
	http-request return status 200 content-type text/plain lf-string "got %[req.body_len]" if { path /upload }
	http-request deny deny_status 401 if { path /login }
	default_backend b
backend b
	server s 127.0.0.1:8091
`

// webSocketRule permits ws.corp.example.
const webSocketRule = `
[[rule]]
id     = "websocket"
client = "es-manager"
to     = ["ws.corp.example"]
tcp    = [80, 8091]
reason = "test"
`

// startWebSockets starts both servers in the internet. It returns what the server in Python has
// printed so far.
func (l *lab) startWebSockets(t *testing.T) func() string {
	t.Helper()
	need(t, "haproxy", "nft", "/usr/bin/python3")
	if r := l.internet.run(t, l.dir, "", "/usr/bin/python3", "-c", "import websocket, websockets"); r.code != 0 {
		missing(t, "python3-websocket and python3-websockets are not installed: %v", r)
	}
	l.book["ws.corp.example"] = addrs(webSocketAddress)
	config := filepath.Join(l.dir, "websockets.cfg")
	if err := os.WriteFile(config, []byte(webSocketServer), 0o644); err != nil {
		t.Fatal(err)
	}
	const redirect = "table ip websockets {\nchain c {\ntype nat hook prerouting priority dstnat;\nip daddr " + webSocketAddress + " tcp dport 80 redirect to :8092\n}\n}\n"
	if r := l.internet.run(t, l.dir, redirect, "nft", "-f", "-"); r.code != 0 {
		t.Fatal(r)
	}
	script, err := filepath.Abs("testdata/chat_server.py")
	if err != nil {
		t.Fatal(err)
	}
	l.background(t, "haproxy", "-db", "-f", config)
	said := l.background(t, "/usr/bin/python3", script, "8091")
	eventually(t, 30*time.Second, "both servers", func() error {
		if !strings.Contains(said(), "ready") {
			return fmt.Errorf("the server says %q", said())
		}
		c, err := l.internet.dial("tcp", "", "127.0.0.1:8092")
		if err == nil {
			c.Close()
		}
		return err
	})
	return said
}

// background runs a program in the internet until the test ends. It returns what the program has
// printed so far.
func (l *lab) background(t *testing.T, name string, args ...string) func() string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := command(ctx, l.dir, name, args...)
	out := new(output)
	cmd.Stdout, cmd.Stderr = out, out
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.internet.do(cmd.Run) // the program dies with its thread
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return out.String
}

// chatting is a page that speaks with the server. It tells the server what it got, and what came of
// a WebSocket to a name that is not permitted.
const chatting = `<!doctype html><title>chat</title><script>
const first = new WebSocket("ws://ws.corp.example/chat");
first.onmessage = (event) => {
  first.onmessage = null;
  const second = new WebSocket("ws://chat.evil.example/chat");
  second.onopen = () => first.send("page reached evil");
  second.onerror = () => first.send("page got " + event.data + ", evil failed");
};
first.onopen = () => first.send("page hello");
</script>`

// chromiumChats opens the page until the server knows its result.
func chromiumChats(t *testing.T, l *lab, said func() string, start func(script string, args ...string) result, options string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "chat.html")
	if err := os.WriteFile(file, []byte(chatting), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	before := len(said())
	ended := make(chan struct{})
	go func() { // the page's last word ends Chromium
		defer close(ended)
		for end := time.Now().Add(time.Minute); time.Now().Before(end) && !strings.Contains(said()[before:], "/chat page got") && !strings.Contains(said()[before:], "page reached"); {
			time.Sleep(50 * time.Millisecond)
		}
		_ = os.WriteFile(filepath.Join(dir, "stop"), nil, 0o666)
	}()
	// Headless, Chromium ends when the page is loaded, unless a debugger may still come.
	r := start(`export HOME="$0"; `+strings.Replace(chromium, "--timeout=20000", "--remote-debugging-port=0", 1)+options+` "file://$0/chat.html" &
while [ ! -e "$0/stop" ] && kill -0 $!; do sleep 0.1; done; kill $!; wait $!; true`, dir)
	<-ended
	if got := said()[before:]; strings.Count(got, "/chat page got echo page hello, evil failed\n") != 1 {
		t.Errorf("the server got %q\n%v", got, r)
	}
}

func TestWebSocketByProxy(t *testing.T) {
	need(t, "chromium", "curl")
	l := newLab(t)
	said := l.startWebSockets(t)
	g := startGateway(t, l, configuration(fleet, webSocketRule))
	t.Run("Python", func(t *testing.T) {
		script, err := filepath.Abs("testdata/chat_client.py")
		if err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{"ws://ws.corp.example/chat", "ws://ws.corp.example:8091/chat"} {
			r := l.tool(t, "/usr/bin/python3", script, url, "http_proxy_host="+gateway4, "http_proxy_port=3128", "proxy_type=http")
			if r.stdout != "echo python\necho "+strings.Repeat("x", 35)+"\n" {
				t.Errorf("%s: %v", url, r)
			}
		}
		mark := g.journal().mark()
		if r := l.tool(t, "/usr/bin/python3", script, "ws://python.evil.example/", "http_proxy_host="+gateway4, "http_proxy_port=3128", "proxy_type=http"); !strings.Contains(r.stdout, "403") {
			t.Errorf("%v", r)
		}
		g.journal().mustDeny(t, mark, denial{via: "connect", host: "python.evil.example", port: 80, reason: "not_listed"})
	})
	t.Run("Chromium", func(t *testing.T) {
		mark := g.journal().mark()
		chromiumChats(t, l, said, func(script string, args ...string) result {
			return l.tool(t, "sh", append([]string{"-c", script}, args...)...)
		}, `--proxy-server=http://`+gateway4+`:3128`)
		g.journal().mustDeny(t, mark, denial{via: "connect", host: "chat.evil.example", port: 80, reason: "not_listed"})
	})
	t.Run("record", func(t *testing.T) {
		flows := journal(filepath.Join(g.dir, "flows.jsonl"))
		eventually(t, 30*time.Second, "close records with the bytes of the tunnel", func() error {
			for _, r := range flows.events("close") {
				if r.Host == "ws.corp.example" && strings.Contains(r.line, `"bytes_in":1002`) {
					return nil
				}
			}
			b, _ := os.ReadFile(string(flows))
			return fmt.Errorf("%s", b)
		})
	})
	t.Run("curl", func(t *testing.T) { l.curlBeforeTheAnswer(t) })
}

// curlBeforeTheAnswer sends requests that have interim responses, in absolute-form and in a tunnel.
func (l *lab) curlBeforeTheAnswer(t *testing.T) {
	big := filepath.Join(l.dir, "big")
	if err := os.WriteFile(big, bytes.Repeat([]byte("x"), 5000), 0o644); err != nil {
		t.Fatal(err)
	}
	es := named("es-manager")
	for _, way := range []string{"", "--proxytunnel"} {
		with := func(args ...string) result {
			args = append([]string{"-v", "-x", httpDoor}, args...)
			if way != "" {
				args = append(args, way)
			}
			return l.curl(t, es, args...)
		}
		r := with("http://ws.corp.example/hints")
		_, hinted, found := strings.Cut(r.stderr, "HTTP/1.1 103 ")
		if r.stdout != "hinted" || !found || !strings.Contains(hinted, "Link: </style.css>; rel=preload") || !strings.Contains(hinted, "HTTP/1.1 200 OK") {
			t.Errorf("103, %q: %v", way, r)
		}
		r = with("--expect100-timeout", "60", "-H", "Expect: 100-continue", "--data-binary", "@"+big, "http://ws.corp.example/upload")
		if r.stdout != "got 5000" || !strings.Contains(r.stderr, "HTTP/1.1 100 Continue") {
			t.Errorf("100, %q, after %v: %v", way, r.took, r)
		}
		r = with("--expect100-timeout", "60", "-H", "Expect: 100-continue", "--data-binary", "@"+big, "http://ws.corp.example/login")
		if !strings.Contains(r.stderr, "HTTP/1.1 401 ") || strings.Contains(r.stderr, "100 Continue") {
			t.Errorf("401 without a 100, %q, after %v: %v", way, r.took, r)
		}
		for method, want := range map[string]string{http.MethodTrace: "message/http", http.MethodOptions: "Allow: "} {
			r = with("-X", method, "-H", "Max-Forwards: 0", "-H", "Authorization: Basic aHVudGVyMg==", "http://ws.corp.example/")
			if !strings.Contains(r.stderr, want) || strings.Contains(r.stdout, "aHVu") || r.code != 0 {
				t.Errorf("%s, %q: %v", method, way, r)
			}
		}
	}
}

func TestWebSocketRedirected(t *testing.T) {
	need(t, "chromium")
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		said := s.startWebSockets(t)
		s.catch(t, fleet, webSocketRule)
		mark := s.rec.mark(t)
		chromiumChats(t, s.lab, said, func(script string, args ...string) result {
			return s.user(t, "", "sh", append([]string{"-c", script}, args...)...)
		}, "--disable-features=UseDnsHttpsSvcb") // the lab's HTTPS records would turn ws into wss (RFC 9460, section 9.5)
		for _, name := range queries(s.rec.since(t, mark)) {
			if strings.Contains(name, "evil") {
				t.Errorf("the resolver was asked for %s", name)
			}
		}
	})
}
