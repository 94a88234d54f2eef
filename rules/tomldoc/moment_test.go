// Moments: which texts are a date or an instant, and what the others are told.

package tomldoc

import (
	"strings"
	"testing"
	"time"
)

func TestEnd(t *testing.T) {
	for _, c := range []struct{ value, want, problem string }{
		{"2027-06-30", "2027-07-01T00:00:00Z", ""},
		{`"2027-06-30"`, "2027-07-01T00:00:00Z", ""},
		{"2026-12-31", "2027-01-01T00:00:00Z", ""},
		{"2026-12-01T18:00:00Z", "2026-12-01T18:00:00Z", ""},
		{"2026-12-01 18:00:00Z", "2026-12-01T18:00:00Z", ""},
		{"2026-12-01 18:00+01:00", "2026-12-01T18:00:00+01:00", ""},
		{`"2026-12-01 18:00+01:00"`, "2026-12-01T18:00:00+01:00", ""},
		{`"2026-12-01T18:00Z"`, "2026-12-01T18:00:00Z", ""},
		{`"2026-12-01 18:00:00Z"`, "2026-12-01T18:00:00Z", ""},
		{`"2026-12-01 18:00 CET"`, "", "f:1: k: must be a date like"},
		{"2026-12-01T18:00:00+01:00", "2026-12-01T18:00:00+01:00", ""},
		{`"2026-12-01T18:00:00-05:00"`, "2026-12-01T18:00:00-05:00", ""},
		{"2026-12-01T18:00:00", "", "f:1: k: 2026-12-01T18:00:00 has no zone: write 2026-12-01T18:00:00Z if it is in UTC, else the offset, like 2026-12-01T18:00:00+02:00"},
		{"0001-01-01T00:00:00Z", "", "f:1: k: is before the year 2000"}, // the zero time must not mean "never"
		{`"0000-12-31"`, "", "f:1: k: is before the year 2000"},
		{"1999-12-30", "", "f:1: k: is before the year 2000"},
		{"1999-12-31", "2000-01-01T00:00:00Z", ""},
		{"18:00:00", "", "f:1: k: must be a date like 2027-06-30, or a date-time with its zone, like 2027-06-30T18:00:00Z or 2027-06-30T18:00:00+02:00"},
		{`"2026-12-01T18:00:00"`, "", "f:1: k: must be a date like"},
		{`"tomorrow"`, "", "f:1: k: must be a date like"},
		{"20270630", "", "f:1: k: must be a date like"},
	} {
		doc, top := Parse("f", []byte("k = "+c.value))
		if top == nil {
			t.Fatalf("%s: %v", c.value, doc.Problems())
		}
		at := top.End("k")
		got := ""
		if !at.IsZero() {
			got = at.Format(time.RFC3339)
		}
		problem := doc.Problems().Error()
		if got != c.want || !strings.HasPrefix(problem, c.problem) || (problem == "") != (c.problem == "") {
			t.Errorf("%s: %s, problem %q", c.value, got, problem)
		}
	}
	doc, top := Parse("f", []byte("other = 1"))
	if at := top.End("k"); !at.IsZero() || len(doc.Problems()) > 0 {
		t.Errorf("absent: %v, %v", at, doc.Problems())
	}
}
