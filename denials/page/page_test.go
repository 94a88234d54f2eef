// Tests of the page: it shows the same as the commands, it runs no script, and it
// shows every value as text.

package page

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
)

// Filters, order and pages select the same groups as the query of the commands.
func TestPageAgreesWithTheCommands(t *testing.T) {
	path := journaltest.Generated(t, 3000)
	site := siteOf(t, fleet)
	h := pageOf(t, site, path)
	for _, c := range []struct {
		form string
		q    denials.Query
	}{
		{"", denials.Query{}},
		{"page=2", denials.Query{Offset: pageSize}},
		{"sort=host&page=3", denials.Query{Sort: "host", Offset: 2 * pageSize}},
		{"sort=last", denials.Query{Sort: "last"}},
		{"reason=not_listed", denials.Query{Filter: denials.Filter{Reason: "not_listed"}}},
		{"client=10.1.0.0/24&via=dns", denials.Query{Filter: denials.Filter{Client: "10.1.0.0/24", Via: "dns"}}},
		{"client=laptops&verdict=would_deny", denials.Query{Filter: denials.Filter{Client: "laptops", Verdict: journal.VerdictWouldDeny}}},
		{"host=*.evil.example", denials.Query{Filter: denials.Filter{Host: "*.evil.example"}}},
		{"text=CYBER", denials.Query{Filter: denials.Filter{Text: "CYBER"}}},
		{"profile=symantec-liveupdate", denials.Query{Filter: denials.Filter{Profile: "symantec-liveupdate"}}},
		{"cure=feature", denials.Query{Cure: denials.CureFeature}},
		{"since=2026-03-01T00:00:00Z&until=2099-01-01T00:00:00Z", denials.Query{Filter: denials.Filter{Since: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}}},
	} {
		c.q.Files, c.q.Site, c.q.Limit = []string{path}, site, pageSize
		want := review(t, c.q)
		var rows []string
		for _, g := range want.Groups {
			rows = append(rows, strings.Join(strings.Fields(journal.Visible(g.Where())), " ")+" "+grouped(g.Count))
		}
		doc, body := get(t, h, "/?"+c.form, http.StatusOK)
		if got := groupRows(doc); strings.Join(got, "\n") != strings.Join(rows, "\n") {
			t.Errorf("%q:\n%s\nwant\n%s", c.form, strings.Join(got, "\n"), strings.Join(rows, "\n"))
		}
		if sum := fmt.Sprintf("%s denials in %s groups", grouped(want.Denials), grouped(uint64(want.Matched))); !strings.Contains(body, sum) {
			t.Errorf("%q: the page lacks %q", c.form, sum)
		}
	}
}

func TestPageReportsAWrongFilter(t *testing.T) {
	h := pageOf(t, nil, journaltest.Generated(t, 10))
	for _, form := range []string{"reason=nope", "since=yesterday", "sort=size", "cure=luck", "host=%5B", "page=0", "page=x", "verdict=allow", "text=%ff",
		"text=" + strings.Repeat("x", 257)} {
		doc, _ := get(t, h, "/?"+form, http.StatusBadRequest)
		alerts := 0
		for _, p := range all(doc, "p") {
			if attr(p, "role") == "alert" {
				alerts++
			}
		}
		if alerts != 1 {
			t.Errorf("%s: %d alerts", form, alerts)
		}
	}
}

// Every view shows what a client sent as text. It spells out characters that hide text
// or change its direction.
func TestPageEscapes(t *testing.T) {
	for _, evil := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus=alert(1) x='`, `</textarea><script>`, `</title><script>`,
		`javascript:alert(1)`, "\x1b[2J\x1b]0;x\x07", "\u202eelpmaxe\u2066", "a\u2028b\u200bc\ufeff", "\u009b31m", "{{.}}", "\r\nSet-Cookie: x", "a\x00b",
	} {
		path := journalOf(t, filepath.Join(t.TempDir(), "j"), at(0, func(r *journal.Record) {
			r.Host, r.HostRaw, r.ClientName, r.Via, r.Detail, r.Hint, r.Nearest, r.Source, r.SNI, r.Profile = "", evil, evil, evil, evil, evil, evil, evil, evil, evil
			r.Resolved = []string{evil}
		}), at(1, func(r *journal.Record) { r.Host, r.ClientName, r.Reason, r.Client = evil, evil, evil, evil }))
		h := pageOf(t, siteOf(t, fleet), path)
		views := []string{"/", "/live", "/live?refresh=on", "/policy", "/health", "/?" + url.Values{"text": {journal.Visible(evil)}}.Encode()}
		for _, g := range review(t, denials.Query{Files: []string{path}}).Groups {
			views = append(views, "/group?key="+g.Key())
		}
		for _, view := range views {
			doc, body := get(t, h, view, http.StatusOK)
			safe(t, view, doc, body)
			if (view == "/" || view == "/live") && !strings.Contains(textOf(doc), strings.Join(strings.Fields(journal.Visible(evil)), " ")) {
				t.Errorf("%s does not show %q", view, evil)
			}
		}
	}
}

// safe fails the test if a document has scripts, event handlers, inline styles,
// links to other sites or invisible characters.
func safe(t *testing.T, view string, doc *html.Node, body string) {
	t.Helper()
	for line := range strings.Lines(body) {
		if line = strings.TrimSuffix(line, "\n"); journal.Visible(line) != line {
			t.Errorf("%s: %q", view, line)
		}
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" || n.Data == "img" || n.Data == "iframe" || n.Data == "style" {
			t.Errorf("%s: has a <%s>", view, n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s: <%s %s=%q>", view, n.Data, a.Key, a.Val)
			}
			if (a.Key == "href" || a.Key == "src" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") && a.Val != "data:," {
				t.Errorf("%s: has a link to %q", view, a.Val)
			}
		}
	}
}

func TestPageHeaders(t *testing.T) {
	h := pageOf(t, nil, journaltest.Generated(t, 10))
	for _, view := range []string{"/", "/live", "/policy", "/health", "/group?key=none", "/nothing", "/style.css"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, view, nil))
		for key, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("%s: %s: %q", view, key, got)
			}
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, view, nil))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d", method, view, w.Code)
			}
		}
	}
}

// Every view can be used with a keyboard and a screen reader.
func TestPageStructure(t *testing.T) {
	path := journaltest.Generated(t, 500)
	site := siteOf(t, fleet)
	h := pageOf(t, site, path)
	key := review(t, denials.Query{Files: []string{path}, Limit: 1}).Groups[0].Key()
	for _, view := range []string{"/", "/live", "/policy", "/health", "/group?key=" + key} {
		doc, _ := get(t, h, view, http.StatusOK)
		for _, tag := range []string{"header", "nav", "main", "footer", "h1", "title"} {
			if n := len(all(doc, tag)); n == 0 || n > 1 && tag != "nav" && tag != "title" {
				t.Errorf("%s: %d of <%s>", view, n, tag)
			}
		}
		if attr(all(doc, "html")[0], "lang") != "en" || attr(all(doc, "a")[0], "href") != "#main" || attr(all(doc, "main")[0], "id") != "main" {
			t.Errorf("%s: no language, or no link that skips the header", view)
		}
		ids, labels := map[string]int{}, map[string]bool{}
		for n := range doc.Descendants() {
			if id := attr(n, "id"); id != "" {
				ids[id]++
			}
			if n.Data == "label" {
				labels[attr(n, "for")] = true
			}
		}
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%s: id %s occurs %d times", view, id, n)
			}
		}
		for _, tag := range []string{"input", "select", "textarea"} {
			for _, n := range all(doc, tag) {
				if attr(n, "type") != "hidden" && !labels[attr(n, "id")] && attr(n, "aria-label") == "" {
					t.Errorf("%s: a <%s> without a label", view, tag)
				}
			}
		}
		for _, table := range all(doc, "table") {
			if len(all(table, "caption")) != 1 {
				t.Errorf("%s: a table without a caption", view)
			}
			for _, th := range all(table, "th") {
				if s := attr(th, "scope"); s != "col" && s != "row" {
					t.Errorf("%s: <th scope=%q>", view, s)
				}
			}
		}
	}
	doc, _ := get(t, h, "/", http.StatusOK)
	words := ""
	for _, n := range all(doc, "desc") {
		words += textOf(n)
	}
	if len(all(doc, "rect")) < 10 || !strings.Contains(words, "The most frequent reason is") {
		t.Errorf("no chart, or no description of it: %q", words)
	}
	if !strings.Contains(textOf(doc), "Auditing.") {
		t.Error("no banner, although laptops is in mode audit")
	}
}

// The live view refreshes only with refresh=on. It shows the newest records first.
func TestPageLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	var rs []journal.Record
	for i := range 150 {
		rs = append(rs, at(i, func(r *journal.Record) { r.Host = "h" + strconv.Itoa(i) + ".example" }))
	}
	journalOf(t, path, rs...)
	h := pageOf(t, nil, path)
	doc, still := get(t, h, "/live", http.StatusOK)
	if strings.Contains(still, `http-equiv="refresh"`) {
		t.Error("the view refreshes without refresh=on")
	}
	if _, live := get(t, h, "/live?refresh=on", http.StatusOK); !strings.Contains(live, `http-equiv="refresh" content="5"`) {
		t.Error("the view does not refresh with refresh=on")
	}
	rows := all(doc, "tr")[1:]
	if len(rows) != denials.RecentMax || !strings.Contains(textOf(rows[0]), "h149.example") {
		t.Errorf("%d rows, the first %s", len(rows), textOf(rows[0]))
	}
}

// A viewer that leaves ends the scan. The page serves the next viewer.
func TestPageViewerLeaves(t *testing.T) {
	h := pageOf(t, nil, journaltest.Generated(t, 5000))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
	if doc, _ := get(t, h, "/", http.StatusOK); len(groupRows(doc)) != pageSize {
		t.Error("the next viewer does not get a full page")
	}
}
