// Render: a filter plan as text for nft -f.

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
var filterTemplates embed.FS

// Render prints the whole ruleset or nothing: half of one must never reach nft.
func (p *Plan) Render(w io.Writer) error {
	t, err := template.New("").Funcs(template.FuncMap{"list": nftList, "size": func() int { return setSize }, "notes": noteSets, "drop": dropLines}).ParseFS(filterTemplates, "templates/*.tmpl")
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

// nftList writes the elements of a set.
func nftList(elements []string) string { return "{ " + strings.Join(elements, ", ") + " }" }

func formatUnix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
