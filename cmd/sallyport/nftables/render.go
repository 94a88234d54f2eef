// Render: prints a plan as text for nft -f.

package nftables

import (
	"bytes"
	"embed"
	"io"
	"strconv"
	"strings"
	"text/template"
	"time"
)

//go:embed templates/*.tmpl
var templates embed.FS

// Render writes the whole ruleset or nothing: nft must never get half of one.
func (p *Plan) Render(w io.Writer) error {
	t, err := template.New("").Funcs(template.FuncMap{"list": elementList, "size": func() int { return setSize }, "counterSets": counterSets, "drop": dropLines}).ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, string(p.Mode)+".tmpl", p); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// elementList returns the elements of a set in braces.
func elementList(elements []string) string { return "{ " + strings.Join(elements, ", ") + " }" }

func formatUnix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
