//go:build linux

// The review page in a real browser: the actions of a reviewer, and the attempts of
// an attacker.

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const reviewToken = "0123456789abcdef0123456789abcdef"

func TestReviewPage(t *testing.T) {
	need(t, "chromium", "nsenter")
	g := startReviewed(t, "")
	g.day(t)
	b := g.browse(t)
	for _, c := range []struct {
		what string
		test func(*testing.T, *reviewedGateway, *browser)
	}{
		{"filters", reviewFilters}, {"detail", reviewDetail}, {"live", reviewLive}, {"dark", reviewDark}, {"hostile", reviewHostile},
	} {
		t.Run(c.what, func(t *testing.T) {
			b.t = t
			c.test(t, g, b)
			b.stayed()
		})
	}
}

// A reviewer fills in the form and presses Enter or the button. The page shows the
// matching groups. One click clears the form.
func reviewFilters(t *testing.T, _ *reviewedGateway, b *browser) {
	b.visit("/")
	if got := len(b.destinations()); got != len(reviewedTries) {
		t.Fatalf("%d groups, want %d", got, len(reviewedTries))
	}
	if n := ask[int](b, "document.querySelectorAll('.chart rect').length"); n < 50 {
		t.Errorf("the timeline has %d bars", n)
	}
	b.do(chromedp.SetValue(chromedp.CSS("#f-reason"), "feature_off"))
	b.submit(".filters button")
	if got := b.destinations(); !slices.Equal(got, []string{"auth.sangfor.com:443"}) {
		t.Errorf("feature_off: %q", got)
	}
	b.follow(chromedp.Click(chromedp.CSS(".filters .do a")))
	b.follow(chromedp.SendKeys(chromedp.CSS("#f-host"), "*.sangfor.com\r"))
	if got := b.destinations(); len(got) != 4 || slices.ContainsFunc(got, func(s string) bool { return !strings.Contains(s, ".sangfor.com:") }) {
		t.Errorf("*.sangfor.com: %q", got)
	}
	b.do(chromedp.SetValue(chromedp.CSS("#f-client"), "es-manager"))
	b.submit(".filters button")
	if got := b.destinations(); len(got) != 2 {
		t.Errorf("*.sangfor.com of es-manager: %q", got)
	}
	b.visit("/")
	b.follow(chromedp.Click(chromedp.CSS(".cures a.feature")))
	if got := b.destinations(); !slices.Equal(got, []string{"auth.sangfor.com:443"}) {
		t.Errorf("the cure feature: %q", got)
	}
	b.visit("/?since=yesterday-ish")
	if got := ask[string](b, "document.querySelector('[role=alert]').innerText"); !strings.Contains(got, "since") {
		t.Errorf("a wrong time: %q", got)
	}
}

// A click on a group shows the cause and the cure. The keyboard copies the lines to
// add, and they are the same lines that the command prints.
func reviewDetail(t *testing.T, g *reviewedGateway, b *browser) {
	b.visit("/?reason=feature_off")
	b.follow(chromedp.Click(chromedp.CSS("th[data-label=Destination] a")))
	text := b.text()
	for _, want := range []string{"auth.sangfor.com:443", "es-manager", "10.1.0.7", "feature_off", "neural-x", "Sangfor Endpoint Secure", "58 times", "Not applied", "What else the change would permit"} {
		if !strings.Contains(text, want) {
			t.Errorf("the detail does not show %q:\n%s", want, text)
		}
	}
	var s struct{ TOML string }
	r := g.ns.run(t, g.dir, "", builtBinary(t), "denials", "suggest", "--config", "sallyport.toml", "--reason", "feature_off", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil || s.TOML == "" {
		t.Fatalf("%v: %v", r, err)
	}
	b.do(chromedp.Focus(chromedp.CSS("textarea.toml")))
	b.selectAll()
	got := ask[string](b, "getSelection().toString()")
	if strings.TrimSpace(got) != strings.TrimSpace(s.TOML) || !strings.Contains(got, "neural-x") {
		t.Errorf("to copy: %q, the command says %q", got, s.TOML)
	}
	if !ask[bool](b, "document.querySelector('textarea.toml').readOnly") {
		t.Error("the suggestion can be edited")
	}
}

// reviewLive asserts that new denials appear by themselves while the page is
// open, and that a paused view does not change.
func reviewLive(t *testing.T, g *reviewedGateway, b *browser) {
	b.visit("/live")
	b.follow(chromedp.Click(chromedp.CSS("main .button")))
	g.deny(t, "10.1.0.8", "just-now.example:443")
	eventually(t, 30*time.Second, "the newest denial is the first row", func() error {
		ctx := b.ctx // the browser may be between two pages
		first, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.querySelector('tbody tr')?.innerText ?? ''"))
		if err == nil && !strings.Contains(first, "just-now.example:443") {
			time.Sleep(200 * time.Millisecond)
			return errNotYet(first)
		}
		return err
	})
	b.visit("/live")
	if ask[bool](b, "document.querySelector('meta[http-equiv=refresh]') !== null") {
		t.Error("the view refreshes although refreshing is off")
	}
}

type errNotYet string

func (e errNotYet) Error() string { return "not yet: " + string(e) }

// The page follows the colours that the viewer's system prefers.
func reviewDark(t *testing.T, _ *reviewedGateway, b *browser) {
	const colours = "[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color]"
	b.visit("/")
	light := ask[[]string](b, colours)
	b.look(1366, 900, "dark")
	dark := ask[[]string](b, colours)
	b.look(1366, 900, "light")
	if want := []string{"rgb(255, 255, 255)", "rgb(27, 31, 36)"}; !slices.Equal(light, want) {
		t.Errorf("light: %q, want %q", light, want)
	}
	if want := []string{"rgb(15, 19, 24)", "rgb(228, 233, 238)"}; !slices.Equal(dark, want) {
		t.Errorf("dark: %q, want %q", dark, want)
	}
}

// The page shows every value of the journal as text. No value runs, loads or hides.
func reviewHostile(t *testing.T, g *reviewedGateway, b *browser) {
	line := g.journal().denials(0)[0].line
	var made []map[string]any
	hostile := []string{
		`<script>window.owned=1;alert(1)</script>`, `"><img src=//evil.example/x onerror="window.owned=1">`, `' autofocus onfocus='window.owned=1`,
		`</textarea><script>window.owned=1</script>`, `<svg onload=window.owned=1>`, "\u202egpj.elif", "\x1b[2J\x1b[31m", "javascript:alert(1)", `<meta http-equiv=refresh content=0;url=//evil.example/>`,
	}
	for i, h := range hostile {
		made = append(made, changed(t, line, map[string]any{"host": h, "host_raw": h, "client_name": h, "client": h, "sni": h, "detail": h, "hint": h, "nearest": h,
			"source": h, "via": h, "profile": h, "reason": "malformed_name", "seq": 2_000_000 + i, "time": time.Now().UTC().Format(time.RFC3339Nano)}))
	}
	g.write(t, made...)
	b.visit("/?reason=malformed_name")
	for _, want := range []string{hostile[0], hostile[1], hostile[3], `\u202egpj.elif`, `\x1b[2J`} {
		if !strings.Contains(b.text(), want) {
			t.Errorf("%q is not shown as it is", want)
		}
	}
	links := ask[[]string](b, "[...document.querySelectorAll('th[data-label=Destination] a')].map(a => a.getAttribute('href'))")
	if len(links) != len(hostile) {
		t.Errorf("%d groups of %d", len(links), len(hostile))
	}
	for _, view := range append(links, "/", "/live", "/policy", "/health") {
		b.visit(view)
		if ask[bool](b, "window.owned !== undefined || document.querySelectorAll('script, img, iframe, main [onload], main [onerror], main [onfocus]').length > 0") {
			t.Errorf("%s: a value of the journal became an element of the page", view)
		}
	}
}

// If the page needs a token, a browser first sees only the form. The token gives
// the browser a cookie that no script can read and no other site can send.
func TestReviewPageLogin(t *testing.T) {
	need(t, "chromium", "nsenter")
	g := startReviewed(t, "[admin]\ntoken_file = \"token\"\n")
	b := g.browse(t)
	at := func(want string) {
		t.Helper()
		if got := ask[string](b, "location.pathname"); got != want {
			t.Fatalf("at %s, want %s:\n%s", got, want, b.text())
		}
	}
	for _, view := range []string{"/", "/live", "/policy", "/health", "/group?key=0"} {
		b.visit(view)
		at("/login")
	}
	if code, _, err := g.admin("/"); err != nil || code != 401 {
		t.Errorf("a machine without the token: %d %v", code, err)
	}
	b.follow(chromedp.SendKeys(chromedp.CSS("#token"), "not the token\r"))
	at("/login")
	if got := ask[string](b, "document.querySelector('[role=alert]').innerText"); got != "That is not the token." {
		t.Errorf("a wrong token: %q", got)
	}
	if ask[string](b, "document.querySelector('#token').type + document.querySelector('#token').value") != "password" {
		t.Error("the token can be read on the screen, or was sent back")
	}
	b.follow(chromedp.SendKeys(chromedp.CSS("#token"), reviewToken+"\r"))
	at("/")
	if got := ask[string](b, "document.cookie"); got != "" {
		t.Errorf("a script can read the cookie: %q", got)
	}
	cookies, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil || len(cookies.Cookies) != 1 {
		t.Fatalf("cookies: %v %v", cookies, err)
	}
	if c := cookies.Cookies[0]; !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict || strings.Contains(c.Value, reviewToken) {
		t.Errorf("cookie: %+v", c)
	}
	b.visit("/policy")
	at("/policy")
	b.stayed()
}
