// Tests of journals in schema 1: they stay readable, and restore only recorded values.

package journal

import (
	"errors"
	"testing"

	"sallyport/rules"
)

// Lines of schema 1, as the first version wrote them, restore their attempts.
func TestSchema1Attempts(t *testing.T) {
	const head = `{"schema":1,"time":"2026-01-02T03:04:05.000001Z","seq":1,"boot":"b","event":"decision","verdict":"deny","mode":"enforce",`
	for what, c := range map[string]struct {
		line string
		want error
		ok   func(rules.Attempt) bool
	}{
		"a name": {`"via":"connect","client":"10.1.0.7","host":"evil.example","port":443,"proto":"tcp","reason":"not_listed"}`, ErrSchema1,
			func(a rules.Attempt) bool {
				return a.Authority.String() == "evil.example" && a.Dest.Port() == 443 && a.Provisional && a.Shown == rules.Unseen
			}},
		"an address": {`"via":"transparent","client":"10.1.0.7","host":"192.0.2.1","port":22,"proto":"tcp","original_dst":"192.0.2.1:22","reason":"ip_literal"}`, ErrSchema1,
			func(a rules.Attempt) bool { return a.ByAddress && a.Dest == a.Original && a.Authority.IsZero() }},
		"a type in the detail": {`"via":"dns","client":"10.1.0.7","host":"a.example","proto":"udp","reason":"type_not_allowed","detail":"type TXT; refused"}`, ErrSchema1,
			func(a rules.Attempt) bool { return a.QType == 16 }},
		"a folded look-up": {`"via":"dns","client":"10.1.0.7","host":"a.example","proto":"udp","reason":"not_listed","count":9}`, ErrSchema1,
			func(a rules.Attempt) bool { return a.QType == 1 }},
		"a limit": {`"via":"connect","client":"10.1.0.7","host":"a.example","port":443,"proto":"tcp","reason":"limit"}`, ErrSchema1,
			func(a rules.Attempt) bool { return a.Fault == rules.Limit }},
		"no name": {`"via":"http","client":"10.1.0.7","host_raw":"ev il","port":80,"proto":"tcp","reason":"malformed_name"}`, ErrSchema1,
			func(a rules.Attempt) bool { return a.Fault == rules.MalformedName && a.Authority.IsZero() }},
		"a private answer": {`"via":"connect","client":"10.1.0.7","host":"a.example","port":443,"proto":"tcp","resolved":["10.0.0.1"],"reason":"private_address"}`, ErrSchema1,
			func(a rules.Attempt) bool { return a.Dest.String() == "10.0.0.1:443" }},
		"what was shown": {`"via":"connect","client":"10.1.0.7","host":"a.example","port":443,"proto":"tcp","sni":"b.example","reason":"sni_mismatch"}`, ErrContent, nil},
		"no SNI":         {`"via":"connect","client":"10.1.0.7","host":"a.example","port":443,"proto":"tcp","reason":"sni_missing"}`, ErrContent, nil},
		"many hosts":     {`"via":"connect","client":"10.1.0.7","port":443,"proto":"tcp","reason":"not_listed","count":900}`, ErrFolded, nil},
	} {
		var r Record
		if err := newDecoder().decode([]byte(head+c.line), &r); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		a, err := r.Attempt()
		if !errors.Is(err, c.want) || c.ok != nil && !c.ok(a) {
			t.Errorf("%s: %v, %+v", what, err, a)
		}
	}
}
