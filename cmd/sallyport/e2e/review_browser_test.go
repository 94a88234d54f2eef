//go:build linux

// Browser: drives one tab of a headless Chromium on the review page, and records
// every request that the browser makes.

package e2e

import (
	"context"
	"fmt"
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

// A browser is one tab of a headless Chromium in the gateway's namespace.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string // all URLs that it requested
	dialogs  int
}

// browse starts a browser of its own, with an empty profile.
func (g *reviewedGateway) browse(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t}
	ctx, cancel := chromedp.NewContext(t.Context(), chromiumIn(t, g.ns))
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

// chromiumIn starts a headless Chromium in a namespace, with an empty profile. The first start
// after an installation reads 300 MB from the disk, so the limit is generous.
func chromiumIn(t *testing.T, ns *netns, options ...chromedp.ExecAllocatorOption) chromedp.ContextOption {
	t.Helper()
	dir := t.TempDir()
	inside := filepath.Join(dir, "chromium")
	if err := os.WriteFile(inside, fmt.Appendf(nil, "#!/bin/sh\nexec nsenter --net=%s chromium \"$@\"\n", ns.path()), 0o755); err != nil {
		t.Fatal(err)
	}
	return chromedp.WithAllocatorOptions(append(options, chromedp.ExecPath(inside), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(3*time.Minute), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Env("HOME="+dir), chromedp.UserDataDir(filepath.Join(dir, "profile")))...)
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

// do runs actions that must succeed within half a minute.
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

// text returns the text that the page shows.
func (b *browser) text() string { return ask[string](b, "document.body.innerText") }

// destinations returns the destinations in the visible table.
func (b *browser) destinations() []string {
	return ask[[]string](b, `[...document.querySelectorAll('tbody th[data-label=Destination]')].map(e => e.innerText.trim())`)
}

// submit sends the form that contains an element, as a click on its button does.
func (b *browser) submit(button string) {
	b.t.Helper()
	b.follow(chromedp.Click(chromedp.CSS(button)))
}

// follow runs actions that lead to another page, and waits for that page.
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
