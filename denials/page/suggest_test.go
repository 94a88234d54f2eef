// Tests of the suggestions in the view of a group.

package page

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/denials"
	"sallyport/denials/journal"
)

// The view of a group shows the change that would permit the group, as TOML.
func TestPageSuggests(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"), at(0, func(r *journal.Record) { r.Host, r.Client = "wsus.example", manager }))
	site := siteOf(t, fleet)
	g := review(t, denials.Query{Files: []string{path}, Site: site}).Groups[0]
	doc, body := get(t, pageOf(t, site, path), "/group?key="+g.Key(), http.StatusOK)
	want := site.Suggest([]*denials.Group{g}, 1, false)[0]
	areas := all(doc, "textarea")
	if len(areas) != 1 || want.TOML == "" {
		t.Fatalf("%d texts to copy, want %q\n%s", len(areas), want.TOML, body)
	}
	if got := areas[0].FirstChild.Data; got != want.TOML {
		t.Errorf("to copy: %q, want %q", got, want.TOML)
	}
	if !strings.Contains(body, "b-0") && !strings.Contains(body, "b-1") {
		t.Error("the record is not shown")
	}
}

// The page shows everything that a change would permit, and for which clients. The
// change is a question if only the attempt names the address.
func TestPageShowsTheWholeDifference(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"),
		at(0, func(r *journal.Record) {
			r.Host, r.Client, r.ClientName, r.Reason = "license.sangfor.com", "198.18.0.77", "", "unknown_client"
		}))
	site := siteOf(t, fleet+"[[rule]]\nid = \"lab\"\nclient = \"es-manager\"\nto = [\"45.83.7.0/24\"]\nany = true\nreason = \"T\"\n")
	g := review(t, denials.Query{Files: []string{path}, Site: site}).Groups[0]
	doc, body := get(t, pageOf(t, site, path), "/group?key="+g.Key(), http.StatusOK)
	shown := textOf(doc)
	for _, want := range []string{"es-manager: 198.18.0.77", "site/lab: 45.83.7.0/24: every protocol and port, whatever the content", "who is this?", "A question",
		"once the # characters are removed", "tcp 443"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown:\n%s", want, body)
		}
	}
	if strings.Contains(shown, "Nothing else") {
		t.Errorf("the page claims that the change permits nothing else:\n%s", body)
	}
}

// Without the text of the configuration in force, the page suggests no change. It
// still shows the hint.
func TestPageWithoutTheText(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"), at(0, func(r *journal.Record) { r.Host, r.Client, r.Hint = "wsus.example", manager, "a rule permits it" }))
	site := siteOf(t, fleet)
	site = &denials.Site{Config: site.Config, Policy: site.Policy}
	g := review(t, denials.Query{Files: []string{path}, Site: site}).Groups[0]
	doc, body := get(t, pageOf(t, site, path), "/group?key="+g.Key(), http.StatusOK)
	if len(all(doc, "textarea")) != 0 || !strings.Contains(body, "No change was tried out") || !strings.Contains(body, "a rule permits it") {
		t.Errorf("%s", body)
	}
}
