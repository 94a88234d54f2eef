// Render: the templates and the style of the page, embedded in the binary.
// Every text passes a function that escapes control characters and the like.

package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/rules"
)

//go:embed *.html style.css
var pageFiles embed.FS

// pageTemplates are parsed once, at the start of the process. An error in them makes
// every test fail.
var pageTemplates = template.Must(template.New("page").Funcs(template.FuncMap{
	"v": journal.Visible, "lines": visibleLines, "n": grouped, "t": second, "m": minute, "iso": isoTime, "tag": denials.Tag,
	"lineCount": func(s string) int { return min(strings.Count(s, "\n")+2, 30) },
	"join":      func(list []string) string { return journal.Visible(strings.Join(list, ", ")) },
	"sn":        func(i int) string { return grouped(uint64(max(i, 0))) },
	"several":   several,
	"pick":      func(name, label, now string, list []string) choice { return choice{name, label, now, list} },
}).ParseFS(pageFiles, "*.html"))

// A choice is a field of the form with its options.
type choice struct {
	Name, Label, Now string
	List             []string
}

// show writes a view as the response.
func (p *reviewPage) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&b, name, data); err != nil {
		p.Log.Error("review page", "view", name, "error", err)
		http.Error(w, "this view cannot be shown; the log has the error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // an error means that the viewer has left
}

// WriteLogin answers with the form for the token; problem is the error of the
// last try.
func WriteLogin(w http.ResponseWriter, status int, problem string) {
	SecureHeaders(w.Header())
	var b bytes.Buffer
	data := struct {
		frame
		Problem string
	}{frame{View: "login", Title: "Log in"}, problem}
	if err := pageTemplates.ExecuteTemplate(&b, "login", data); err != nil {
		http.Error(w, "the form cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	css, err := pageFiles.ReadFile("style.css")
	if err != nil {
		http.Error(w, "the style sheet cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(css)
}

// visibleLines applies journal.Visible to each line of a text.
func visibleLines(s string) string {
	list := strings.Split(s, "\n")
	for i := range list {
		list[i] = journal.Visible(list[i])
	}
	return strings.Join(list, "\n")
}

// grouped writes a number with a comma between each three digits.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// several returns a number with its noun.
func several(n any, one, many string) (string, error) {
	switch n := n.(type) {
	case uint64:
		return grouped(n) + " " + rules.Noun(n, one, many), nil
	case int:
		return grouped(uint64(max(n, 0))) + " " + rules.Noun(n, one, many), nil
	}
	return "", fmt.Errorf("%T is not a number of things", n)
}

func second(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func isoTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func pageText(n int) string { return strconv.Itoa(n) }

// destinations lists the destinations of a rule.
func destinations(r *rules.Rule) string {
	var out []string
	for _, d := range r.To {
		out = append(out, d.String())
	}
	if n := r.List.Len(); n > 0 {
		out = append(out, fmt.Sprintf("%s entries of %s", grouped(uint64(n)), strings.Join(r.List.Files(), ", ")))
	}
	return strings.Join(out, ", ")
}

// portsText lists the protocols and ports of a rule.
func portsText(r *rules.Rule) string {
	if r.Any {
		return "any protocol and port"
	}
	return strings.Join(rules.ProtoPorts(r.TCP, r.UDP), ", ")
}

// policyClientOf describes a client with its rules.
func policyClientOf(c *rules.Client, list []policyRule) policyClient {
	out := policyClient{Name: c.Name, Mode: "enforce", Rules: list}
	if c.Audit {
		out.Mode = "audit"
	}
	for _, p := range c.Sources {
		out.Sources = append(out.Sources, p.String())
	}
	for _, p := range c.Profiles {
		if p.Profile == nil {
			continue
		}
		text := p.Profile.Name + " as " + p.Role
		if p.Version != "" {
			text += ", version " + p.Version
		}
		if len(p.Features) > 0 {
			text += ", with " + strings.Join(p.Features, ", ")
		}
		out.Profiles = append(out.Profiles, text)
	}
	return out
}
