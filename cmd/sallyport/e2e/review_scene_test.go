//go:build linux

// The scene of the review page: a gateway that denied a day of real attempts,
// and a real browser beside it, both in a namespace without any way out.

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	chromepage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// reviewedSite is the site whose denials are looked at.
const reviewedSite = `
[listen]
http  = ["10.0.0.1:3128"]
admin = "127.0.0.1:9180"
%s
[[client]]
name     = "es-manager"
sources  = ["10.1.0.0/24"]
profiles = ["endpoint-secure-onprem"]
[[client]]
name     = "es-agents"
sources  = ["10.2.0.0/24"]
profiles = ["endpoint-secure-onprem"]
role     = "agent"
[[client]]
name     = "es-cloud"
sources  = ["10.3.0.0/24"]
profiles = ["endpoint-secure-saas"]
[[client]]
name     = "laptops"
sources  = ["10.4.0.0/24"]
profiles = ["endpoint-secure-saas"]
mode     = "audit"
[dns]
upstreams = ["udp://127.0.0.1:1"]
[journal]
path = "denials.jsonl"
[limits]
drain = "0s"
`

// reviewedTries are what the site's clients try in vain, and how often in a day.
var reviewedTries = []struct {
	from, dest string
	times      int
}{
	{"10.1.0.7", "auth.sangfor.com:443", 58},
	{"10.1.0.7", "license.sangfor.com:8443", 12},
	{"10.1.0.8", "wsus.corp.example:8530", 31},
	{"10.2.0.21", "license.sangfor.com:443", 24},
	{"10.3.0.5", "download.sangfor.com.cn:443", 17},
	{"10.1.0.7", "203.0.113.9:443", 9},
	{"10.2.0.33", "telemetry.vendor.example:443", 42},
	{"10.66.0.4", "license.sangfor.com:443", 6},
}

// A reviewedGateway is one whose page is looked at.
type reviewedGateway struct{ *gateway }

const reviewPage = "http://127.0.0.1:9180"

// startReviewed starts a gateway with more lines of configuration in [admin].
func startReviewed(t *testing.T, admin string) *reviewedGateway {
	t.Helper()
	ns := newNetns(t, "review")
	for _, a := range []string{"10.0.0.1", "10.1.0.7", "10.1.0.8", "10.2.0.21", "10.2.0.33", "10.3.0.5", "10.66.0.4"} {
		ns.ip(t, "address add "+a+"/32 dev lo")
	}
	g := &reviewedGateway{newGateway(t, ns)}
	if err := os.WriteFile(filepath.Join(g.dir, "token"), []byte(reviewToken), 0o600); err != nil {
		t.Fatal(err)
	}
	g.configure(t, fmt.Sprintf(reviewedSite, admin))
	g.start(t, "run", "--config", "sallyport.toml")
	g.waitListening(t, "10.0.0.1:3128")
	g.waitListening(t, "127.0.0.1:9180")
	return g
}

// deny has a client denied, once.
func (g *reviewedGateway) deny(t *testing.T, from, dest string) {
	t.Helper()
	c, err := g.ns.dial("tcp", from, "10.0.0.1:3128")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", dest, dest)
	if answer, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 403 ")) {
		t.Fatalf("%s from %s: %q %v", dest, from, answer, err)
	}
}

// day makes the journal of a day: what the gateway writes of real attempts,
// again and again at other times.
func (g *reviewedGateway) day(t *testing.T) {
	t.Helper()
	for i, try := range reviewedTries {
		g.deny(t, try.from, try.dest)
		eventually(t, 10*time.Second, "the denial is in the journal", func() error {
			if n := len(g.journal().denials(0)); n <= i {
				return fmt.Errorf("%d denials", n)
			}
			return nil
		})
	}
	var made []map[string]any
	for i, r := range g.journal().denials(0) {
		for n := 1; n < reviewedTries[i].times; n++ {
			// Spread unevenly over the day, the same in every run.
			ago := time.Duration((n*(37+11*i)+i*131)%1400)*time.Minute + time.Minute
			made = append(made, changed(t, r.line, map[string]any{"time": time.Now().UTC().Add(-ago).Format("2006-01-02T15:04:05.000000Z"), "seq": 1_000_000 + len(made)}))
		}
	}
	g.write(t, made...)
}

// changed is a line of the journal with some of its fields changed.
func changed(t *testing.T, line string, with map[string]any) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatal(err)
	}
	for k, v := range with {
		fields[k] = v
	}
	return fields
}

// write adds lines to the journal.
func (g *reviewedGateway) write(t *testing.T, lines ...map[string]any) {
	t.Helper()
	var b bytes.Buffer
	for _, l := range lines {
		if err := json.NewEncoder(&b).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(string(g.journal()), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
}

// A browser is one tab of a headless Chromium in the gateway's namespace.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string // all addresses that it asked for
	dialogs  int
}

// browse starts a browser of its own, with an empty profile.
func (g *reviewedGateway) browse(t *testing.T) *browser {
	t.Helper()
	dir := t.TempDir()
	inside := filepath.Join(dir, "chromium")
	if err := os.WriteFile(inside, fmt.Appendf(nil, "#!/bin/sh\nexec nsenter --net=%s chromium \"$@\"\n", g.ns.path()), 0o755); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t}
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.ExecPath(inside), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Env("HOME="+dir), chromedp.UserDataDir(filepath.Join(dir, "profile"))))
	t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Listen(ctx, b.event); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.look(1366, 900, "light")
	return b
}

func (b *browser) event(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *chromepage.EventJavascriptDialogOpening:
		b.dialogs++
	}
}

// look sets the window's size and the colours that its user prefers.
func (b *browser) look(width, height int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height), func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return chromedp.Void{}, err
	})
}

// do does things that must succeed, within half a minute.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("chromium: %v", err)
	}
}

func (b *browser) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(reviewPage + path))
}

// ask evaluates an expression in the page.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("chromium: %.100s: %v", expression, err)
	}
	return v
}

// text is what the page shows.
func (b *browser) text() string { return ask[string](b, "document.body.innerText") }

// destinations are those of the table in view.
func (b *browser) destinations() []string {
	return ask[[]string](b, `[...document.querySelectorAll('tbody th[data-label=Destination]')].map(e => e.innerText.trim())`)
}

// submit sends the form that an element is in, as a click on its button does.
func (b *browser) submit(button string) {
	b.t.Helper()
	b.follow(chromedp.Click(chromedp.CSS(button)))
}

// follow does what leads to another page, and waits until that is there.
func (b *browser) follow(step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		b.t.Fatalf("chromium: %v", err)
	}
}

// selectAll presses Ctrl (modifier 2) and A. A headless browser also needs the
// name of the command.
func (b *browser) selectAll() {
	b.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		key := input.DispatchKeyEventParams{Type: kind, Key: "a", Code: "KeyA", WindowsVirtualKeyCode: 'A', Modifiers: 2}
		if kind == input.DispatchKeyEventTypeKeyDown {
			key.Commands = []string{"selectAll"}
		}
		ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
		if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, key); err != nil {
			b.t.Errorf("chromium: %v", err)
		}
		cancel()
	}
}

// stayed reports whether the browser requested only the page, and ran none of
// the injected script.
func (b *browser) stayed() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	for _, u := range b.requests {
		if !strings.HasPrefix(u, reviewPage+"/") && !strings.HasPrefix(u, "data:,") {
			b.t.Errorf("the browser asked for %s", u)
		}
		seen[strings.TrimPrefix(u, reviewPage)] = true
	}
	if !seen["/style.css"] {
		b.t.Errorf("the requests were not seen: %v", b.requests)
	}
	if b.dialogs != 0 {
		b.t.Errorf("%d dialogs", b.dialogs)
	}
}
