// Test helpers: a page, and functions that read its HTML.

package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// pageOf returns a page over the given journal files.
func pageOf(t testing.TB, site *denials.Site, files ...string) http.Handler {
	t.Helper()
	return Page(PageConfig{
		Files:  func() ([]string, error) { return files, nil },
		Site:   func() *denials.Site { return site },
		Usage:  func() journal.UsageState { return journal.UsageState{Since: noon} },
		Health: func() []Health { return []Health{{"Journal", true, "fine"}, {"Upstreams", false, "none answers"}} },
		When: func(s string, now time.Time) (time.Time, error) {
			if d, err := time.ParseDuration(s); err == nil {
				return now.Add(-d), nil
			}
			return time.Parse(time.RFC3339, s)
		},
		Now: func() time.Time { return noon.Add(time.Hour) },
	})
}

// get requests one view, checks its status and parses it.
func get(t testing.TB, h http.Handler, path string, status int) (*html.Node, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != status {
		t.Fatalf("%s: status %d, want %d\n%.500s", path, w.Code, status, w.Body)
	}
	doc, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc, w.Body.String()
}

// all returns the elements with the tag.
func all(n *html.Node, tag string) (out []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == tag {
			out = append(out, d)
		}
	}
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// groupRows returns the destination and count of each row of the table of groups.
func groupRows(doc *html.Node) (out []string) {
	for _, tr := range all(doc, "tr") {
		if th := all(tr, "th"); len(th) == 1 && attr(th[0], "data-label") == "Destination" {
			out = append(out, textOf(th[0])+" "+textOf(all(tr, "td")[0]))
		}
	}
	return out
}
