// Tests that no text of a client reaches a terminal unescaped, in any command.

package text

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/denials/journal"
)

// Every command escapes what a client sent.
func TestAnswersAreSafe(t *testing.T) {
	evil := "\x1b]0;x\x07\r\n\u202e\u2028\u009b<script>"
	path := journalOf(t, filepath.Join(t.TempDir(), "j"), at(0, func(r *journal.Record) {
		r.Host, r.HostRaw, r.ClientName, r.Via, r.Detail, r.Hint, r.Nearest, r.SNI, r.Profile = "", evil, evil, evil, evil, evil, evil, evil, evil
	}), at(1, func(r *journal.Record) {
		r.ClientName, r.Via, r.Hint, r.Client, r.Host = evil, evil, evil, manager, "evil.example"
	}), at(2, func(r *journal.Record) { r.Verdict, r.Rule, r.ClientName = journal.VerdictAllow, evil, evil }))
	o := Options{Files: []string{path}, Site: siteOf(t, fleet), Now: noon, ID: "b-1", Days: 30}
	for what, f := range map[string]writeFunc{"show": WriteShow, "suggest": WriteSuggest, "replay": WriteReplay, "stats": WriteStats, "usage": WriteUsage, "top": Top} {
		for _, o.JSON = range []bool{false, true} {
			var b bytes.Buffer
			if _, err := f(context.Background(), o, &b); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			for line := range strings.Lines(b.String()) {
				if line = strings.TrimSuffix(line, "\n"); journal.Visible(line) != line {
					t.Errorf("%s, json %v: %q", what, o.JSON, line)
				}
				if o.JSON && !json.Valid([]byte(line)) {
					t.Errorf("%s: not JSON: %s", what, line)
				}
			}
		}
	}
	o.JSON, o.Whole = false, true
	var b bytes.Buffer
	if _, err := WriteSuggest(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	siteOf(t, b.String()) // fails if the client's text breaks the TOML
}

type writeFunc = func(context.Context, Options, io.Writer) (journal.Report, error)
