// Form: the viewer's selection, read from the address of a view and written
// back to it.

package page

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/rules"
)

// pageSize is the number of groups on one page.
const pageSize = 50

// A form has the viewer's input as text, to be shown again.
type form struct {
	Since, Until, Client, Profile, Reason, Via, Verdict, Host, Text, Cure, Sort, Known string
	Page                                                                               int // the first page is 1
}

// fields returns the texts of a form with their URL parameters, in the order of
// the page.
func (f *form) fields() []struct {
	key   string
	value *string
} {
	return []struct {
		key   string
		value *string
	}{
		{"since", &f.Since}, {"until", &f.Until}, {"client", &f.Client}, {"profile", &f.Profile}, {"reason", &f.Reason},
		{"via", &f.Via}, {"verdict", &f.Verdict}, {"host", &f.Host}, {"text", &f.Text}, {"cure", &f.Cure}, {"sort", &f.Sort}, {"known", &f.Known},
	}
}

// formOf reads the form from the URL of a request.
func formOf(r *http.Request) (f form, err error) {
	q := r.URL.Query()
	for _, field := range f.fields() {
		v := q.Get(field.key)
		if len(v) > 256 || !utf8.ValidString(v) {
			return f, fmt.Errorf("%s is too long or not valid text", field.key)
		}
		*field.value = v
	}
	f.Page = 1
	if s := q.Get("page"); s != "" {
		if f.Page, err = strconv.Atoi(s); err != nil || f.Page < 1 || f.Page > 1_000_000 {
			f.Page = 1
			return f, fmt.Errorf("page: %q is not a page number", s)
		}
	}
	return f, nil
}

// query turns a form into the same query that the commands use. It cuts a
// relative time to the full minute, so that all pages of one list belong
// together.
func (p *reviewPage) query(f *form) (denials.Query, error) {
	q := denials.Query{Cure: denials.Cure(f.Cure), Sort: f.Sort, Offset: (f.Page - 1) * pageSize, Limit: pageSize, Filter: denials.Filter{
		Client: f.Client, Profile: f.Profile, Reason: f.Reason, Via: f.Via, Verdict: f.Verdict, Host: f.Host, Text: f.Text, Denied: true, Known: knownOf(f.Known),
	}}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"since", f.Since, &q.Filter.Since}, {"until", f.Until, &q.Filter.Until}} {
		if t.text == "" {
			continue
		}
		at, err := p.When(t.text, p.Now().Truncate(time.Minute))
		if err != nil {
			return q, fmt.Errorf("%s: %w", t.name, err)
		}
		*t.to = at.UTC().Round(0)
	}
	if _, err := rules.ParseReason(f.Reason); f.Reason != "" && err != nil {
		return q, fmt.Errorf("reason: %w", err)
	}
	if f.Verdict != "" && f.Verdict != journal.VerdictDeny && f.Verdict != journal.VerdictWouldDeny {
		return q, fmt.Errorf("verdict: %q is neither deny nor would_deny", f.Verdict)
	}
	if f.Cure != "" && !slices.Contains(denials.Cures(), q.Cure) {
		return q, fmt.Errorf("cure: %q is not a cure", f.Cure)
	}
	if !slices.Contains(knownChoices(), f.Known) && f.Known != "" {
		return q, fmt.Errorf("known: %q is neither no, only nor all", f.Known)
	}
	return q, q.Check()
}

// knownAll is the value of the field known that shows known denials among the others.
const knownAll = "all"

// knownChoices are the values of the field known. Without one, known denials are left out.
func knownChoices() []string { return []string{denials.KnownNo, denials.KnownOnly, knownAll} }

// knownOf returns the filter's value for a value of the field known.
func knownOf(text string) string {
	switch text {
	case "":
		return denials.KnownNo
	case knownAll:
		return denials.KnownAll
	}
	return text
}

// values returns the form as the query part of an address.
func (f form) values() url.Values {
	v := url.Values{}
	for _, field := range f.fields() {
		if *field.value != "" {
			v.Set(field.key, *field.value)
		}
	}
	if f.Page > 1 {
		v.Set("page", strconv.Itoa(f.Page))
	}
	return v
}

// link returns the address of a view with the values of the form. pairs are keys
// and values that replace the keys and values of the form. Unless pairs has a
// page, the link leads to the first page.
func (f form) link(path string, pairs ...string) string {
	v := f.values()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "page" {
			v.Del("page")
		}
		v.Del(pairs[i])
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}
