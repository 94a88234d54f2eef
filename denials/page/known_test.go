// Tests of known denials on the page: a tab of their own, and hostile text in why stays text.

package page

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/denials/journal"
)

func TestKnownDenialsHaveATab(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"),
		at(0, func(r *journal.Record) { r.Host, r.Count = "www.msftconnecttest.com", 10 }),
		at(1, func(r *journal.Record) { r.Host = "evil.example" }))
	s := siteOf(t, fleet+"[[known]]\nhost = \"*.msftconnecttest.com\"\nwhy = \"<script>alert(1)</script> TICKET-12\"\n")
	h := pageOf(t, s, path)
	doc, body := get(t, h, "/", 200)
	if got := groupRows(doc); !slices.Equal(got, []string{"evil.example:443 1"}) {
		t.Errorf("%q", got)
	}
	if !strings.Contains(textOf(doc), "1 denial in 1 group, 1 to 1 shown. 10 known denials are apart.") || !strings.Contains(body, `<a href="/?known=only">10 known denials</a>`) {
		t.Error("the page does not say that known denials are apart")
	}
	doc, body = get(t, h, "/?known=only", 200)
	if got := groupRows(doc); !slices.Equal(got, []string{"www.msftconnecttest.com:80 10"}) && !slices.Equal(got, []string{"www.msftconnecttest.com:443 10"}) {
		t.Errorf("%q", got)
	}
	if !strings.Contains(body, `<a href="/?known=only" aria-current="page">Known</a>`) || !strings.Contains(textOf(doc), "<script>alert(1)</script> TICKET-12") || strings.Contains(body, "<script") {
		t.Error("the tab is not current, or why is missing, or it is not escaped")
	}
	doc, _ = get(t, h, "/?known=all", 200)
	if len(groupRows(doc)) != 2 {
		t.Error("known=all does not show all")
	}
	if _, body := get(t, h, "/?known=maybe", 400); !strings.Contains(body, "neither no, only nor all") {
		t.Error("an unknown value is not refused")
	}
	_, body = get(t, h, "/live", 200)
	if strings.Contains(body, "msftconnecttest") || !strings.Contains(body, "evil.example") {
		t.Error("the live view shows known denials")
	}
}
