//go:build linux

// Accessibility of the review page, by axe-core in a real browser.

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// axe returns the script of axe-core. The environment names its directory, or npm
// fetches it.
func axe(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SALLYPORT_E2E_AXE")
	if dir == "" {
		if _, err := exec.LookPath("npm"); err != nil {
			missing(t, "npm is not installed and SALLYPORT_E2E_AXE names no axe-core")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", workDir, "axe-core@4.14.1")
		if out, err := cmd.CombinedOutput(); err != nil {
			missing(t, "npm cannot fetch axe-core and SALLYPORT_E2E_AXE names none: %v\n%s", err, out)
		}
		dir = filepath.Join(workDir, "node_modules", "axe-core")
	}
	script, err := os.ReadFile(filepath.Join(dir, "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// A violation is an error that axe finds.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// grave returns the serious and critical violations in the current view, and the
// number of axe's checks that passed. The debugger loads the script, so the page's
// policy does not apply to it.
func (b *browser) grave(script string) (found []violation, passed int) {
	b.t.Helper()
	if !ask[bool](b, script+"\n;typeof axe === 'object'") {
		b.t.Fatal("axe did not load")
	}
	var r struct {
		Violations []violation
		Passes     []struct{}
	}
	text := ask[string](b, `axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify({violations: r.violations, passes: r.passes.map(() => ({}))}))`)
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range r.Violations {
		if v.Impact == "serious" || v.Impact == "critical" {
			found = append(found, v)
		}
	}
	return found, len(r.Passes)
}

// TestReviewPageAccessibility asserts that no view has a serious violation, on a
// desktop and on a phone, in light and in dark colours. It also asserts that axe
// finds violations that the test makes on purpose.
func TestReviewPageAccessibility(t *testing.T) {
	need(t, "chromium", "nsenter")
	script := axe(t)
	g := startReviewed(t, "")
	g.day(t)
	b := g.browse(t)
	b.visit("/?reason=feature_off")
	detail := ask[string](b, "document.querySelector('th[data-label=Destination] a').getAttribute('href')")
	check := func(b *browser, view string) {
		t.Helper()
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1366, 390} {
				b.look(width, 900, scheme)
				b.visit(view)
				found, passed := b.grave(script)
				for _, v := range found {
					t.Errorf("%s %s %d wide: %s %s: %s: %+v", view, scheme, width, v.Impact, v.ID, v.Help, v.Nodes)
				}
				if passed < 10 {
					t.Errorf("%s: axe passed %d checks only", view, passed)
				}
				if over := ask[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
					t.Errorf("%s %d wide: the page is %d too wide", view, width, over)
				}
			}
		}
	}
	for _, view := range []string{"/", "/?reason=nope", "/?host=nothing.example", detail, "/live", "/policy", "/health", "/nothing"} {
		check(b, view)
	}
	_ = ask[bool](b, "document.querySelector('h1').style.color = document.querySelector('h1').style.background = 'gray'; document.documentElement.lang = ''; true")
	if found, _ := b.grave(script); len(found) == 0 {
		t.Error("axe finds nothing wrong with gray on gray")
	}

	locked := startReviewed(t, "[admin]\ntoken_file = \"token\"\n")
	check(locked.browse(t), "/login")
}
