// Document: the [document] table of a profile, which says where its rules come from.

package profile

import (
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

func readDocument(p *rules.Profile, t *tomldoc.Table) {
	p.Document = rules.Document{
		Title: t.Text("title"), Version: t.Text("version"), URL: t.Text("url"), Language: t.Text("language"),
		SHA256: strings.ToLower(t.Str("sha256")), Note: t.Text("note"),
	}
	d := &p.Document
	d.Released, d.Retrieved = readDay(t, "released"), readDay(t, "retrieved")
	if d.Title == "" {
		t.Missing("title", "name the document that the rules are typed from")
	}
	if d.Released != "" && d.Retrieved != "" && d.Retrieved < d.Released {
		t.Errorf("retrieved", "%s is before the document was released, on %s", d.Retrieved, d.Released)
	}
	if t.Has("url") && !IsURL(d.URL) {
		t.Errorf("url", "%q is not the address of a page, like \"https://docs.example/ports\"", d.URL)
	}
	if sum, err := hex.DecodeString(d.SHA256); t.Has("sha256") && (err != nil || len(sum) != 32) {
		t.Errorf("sha256", "%q is not a SHA-256 hash of 64 hexadecimal digits, as sha256sum prints it", d.SHA256)
	}
	if t.Has("language") && !IsLanguage(d.Language) {
		t.Errorf("language", "%q is not a language tag like \"en\" or \"pt-BR\"", d.Language)
	}
	t.Done()
}

// readDay reads a date as YYYY-MM-DD; "" if the key is absent.
func readDay(t *tomldoc.Table, key string) string {
	if t.Has(key) {
		if day := t.Date(key); !day.IsZero() {
			return day.Format(time.DateOnly)
		}
	}
	return ""
}

// IsURL reports whether s is the address of a page.
func IsURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// IsLanguage reports whether s has the form of a language tag (RFC 5646): a language of two
// to eight letters, and subtags of one to eight letters or digits.
func IsLanguage(s string) bool {
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for _, c := range []byte(part) {
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}
