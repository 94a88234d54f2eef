// Tests that the output names results that rest on records of schema 1.

package text

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/denials/journal"

	"sallyport/denials"
)

// Replay and suggest mark the results for which the record has only the destination.
func TestSchema1IsSaid(t *testing.T) {
	site := siteOf(t, fleet)
	old := at(0, func(r *journal.Record) {
		r.Client, r.ClientName, r.Host, r.Reason = manager, "es-manager", "auth.sangfor.com", "feature_off"
	})
	forged := at(1, func(r *journal.Record) {
		r.Client, r.ClientName, r.Host, r.Reason = manager, "es-manager", "license.sangfor.com", "sni_mismatch"
	})
	path := journalOf(t, filepath.Join(t.TempDir(), "j"), old, forged)
	p, err := denials.Replay(context.Background(), denials.Query{Files: []string{path}, Site: site})
	if err != nil || p.Schema1 != 1 || p.Unchanged != 1 || p.Unknown != 1 {
		t.Errorf("%v, %+v: replay must not permit a record whose denial depended on the first bytes", err, p)
	}
	var b bytes.Buffer
	o := Options{Files: []string{path}, Site: site, Now: noon}
	if _, err := WriteReplay(context.Background(), o, &b); err != nil || !strings.Contains(b.String(), "1 of them are of schema 1") {
		t.Errorf("%v: %s", err, b.String())
	}
	b.Reset()
	if _, err := WriteSuggest(context.Background(), o, &b); err != nil || strings.Count(b.String(), "schema 1: ") != 2 {
		t.Errorf("%v: %s", err, b.String())
	}
}
