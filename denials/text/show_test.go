// Tests of show.

package text

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/denials/journal"

	"sallyport/denials"
)

func TestShowFindsTheFlow(t *testing.T) {
	path := journalOf(t, filepath.Join(t.TempDir(), "j"),
		at(0, func(r *journal.Record) { r.Flow = 5 }), at(1, func(r *journal.Record) { r.Flow = 6 }), at(2, func(r *journal.Record) { r.Flow = 5 }),
		at(3, func(r *journal.Record) { r.Flow, r.Boot = 5, "other" }), at(4, func(r *journal.Record) { r.Flow, r.Event, r.Verdict = 5, journal.EventClose, journal.VerdictAllow }))
	o := Options{Files: []string{path}, Now: noon, ID: "b-3", JSON: true}
	var b bytes.Buffer
	if _, err := WriteShow(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	var seqs []uint64
	for line := range strings.Lines(b.String()) {
		var m struct{ Seq uint64 }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, m.Seq)
	}
	if !slices.Equal(seqs, []uint64{3, 1, 5}) {
		t.Errorf("%v", seqs)
	}
	for id, want := range map[string]error{"b-99": denials.ErrNoRecord, "c-3": denials.ErrNoRecord} {
		o.ID = id
		if _, err := WriteShow(context.Background(), o, &b); !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{"", "b", "b-", "-3", "b-x"} {
		o.ID = id
		if _, err := WriteShow(context.Background(), o, &b); err == nil || !strings.Contains(err.Error(), "BOOT-SEQ") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// Without --json, show prints the fields of the record, and a table of the other records
// of its flow.
func TestShowPrintsTheFlowAsATable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	journalOf(t, path, at(0, func(r *journal.Record) { r.Flow = 5 }), at(1, func(r *journal.Record) { r.Flow = 6 }),
		at(2, func(r *journal.Record) {
			r.Flow, r.Event, r.Verdict, r.Reason = 5, journal.EventClose, journal.VerdictAllow, ""
		}))
	var b bytes.Buffer
	if _, err := WriteShow(context.Background(), Options{Files: []string{path}, Now: noon, ID: "b-1"}, &b); err != nil {
		t.Fatal(err)
	}
	fields, others, found := strings.Cut(b.String(), "\nother records of this flow:\n")
	if !found || !strings.Contains(fields, "not_listed") || !strings.Contains(fields, "n0.example") {
		t.Errorf("show prints\n%s", b.String())
	}
	if !strings.Contains(others, "b-3") || strings.Contains(others, "b-2") || strings.Contains(others, "b-1") {
		t.Errorf("the table of the flow is\n%s", others)
	}
}
