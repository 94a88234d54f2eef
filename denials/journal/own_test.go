// Tests of the start record's list of the gateway's own addresses.

package journal

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// LastOwn uses the newest start record of all files. It skips a start record that
// is too long, is broken, or comes from an older gateway.
func TestNewestStartRecordCounts(t *testing.T) {
	dir := t.TempDir()
	at := func(seq uint64, own ...string) Record {
		return Record{Schema: Schema, Time: noon, Seq: seq, Boot: "b", Event: EventStart, Own: own}
	}
	old := journalOf(t, filepath.Join(dir, "1"), at(1, "10.0.0.1"), at(2, "10.0.0.2"))
	bare := journalOf(t, filepath.Join(dir, "2"), Record{Schema: 1, Time: noon, Seq: 3, Boot: "b", Event: EventStart})
	for _, c := range []struct {
		files []string
		want  []string
	}{
		{[]string{old}, []string{"10.0.0.2"}}, {[]string{old, bare}, []string{"10.0.0.2"}}, {[]string{bare}, nil},
		{[]string{old, filepath.Join(dir, "none")}, []string{"10.0.0.2"}}, {nil, nil},
	} {
		if got := LastOwn(c.files); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.files, got, c.want)
		}
	}
}

func TestOwnInTheRecord(t *testing.T) {
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("fe80::%x:%x", i, i))
	}
	r := Record{Schema: Schema, Time: noon, Seq: 1, Boot: "b", Event: EventStart, Own: many}
	line := r.Append(nil)
	var back Record
	if err := newDecoder().decode(line, &back); err != nil || !back.Truncated || len(back.Own) < 100 || !slices.Equal(back.Own, many[:len(back.Own)]) || len(line) > MaxLine {
		t.Errorf("%v: %d of %d, truncated %t", err, len(back.Own), len(many), back.Truncated)
	}
	r.Own = []string{"127.0.0.1:3128", "10.0.0.1"}
	if got := string(r.Append(nil)); !strings.Contains(got, `"event":"start","own":["127.0.0.1:3128","10.0.0.1"]}`) {
		t.Error(got)
	}
	r.Event = EventDecision
	if got := string(r.Append(nil)); strings.Contains(got, "own") {
		t.Error(got)
	}
}
