// Tests of the messages of syslog, read back by a parser written from RFC 5424.

package sink

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sallyport/denials/journal"
)

// message5424 is RFC 5424, section 6, for messages with structured data.
var message5424 = regexp.MustCompile(`^<([0-9]{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) ((?:\[[!-<>-Z\\^-~]{1,32}(?: [!-<>-Z\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])+) ([ -~]*)$`)

var anyRecord = journal.Record{Schema: 2, Time: time.Date(2026, 11, 30, 11, 3, 14, 210166000, time.UTC), Seq: 6, Boot: "lnz3wdc5nk", Event: "decision", Verdict: "deny", Reason: "feature_off",
	Client: "10.20.30.40", ClientName: "es-manager", Host: "clt.sangfor.com", Port: 443}

func TestMessage(t *testing.T) {
	s := syslog{facility: 16, host: "gw1.corp.example", version: "1.2"}
	got := string(s.append(nil, &anyRecord, []byte(`{"a":1}`)))
	want := `<132>1 2026-11-30T11:03:14.210166Z gw1.corp.example sallyport lnz3wdc5nk decision [origin software="sallyport" swVersion="1.2"]` +
		`[sallyport@32473 id="lnz3wdc5nk-6" verdict="deny" reason="feature_off" client="10.20.30.40" client_name="es-manager" host="clt.sangfor.com" port="443"] {"a":1}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// PRI is facility * 8 + severity (RFC 5424, 6.2.1).
func TestPriority(t *testing.T) {
	for _, c := range []struct {
		facility int
		r        journal.Record
		want     string
	}{
		{16, journal.Record{Event: "decision", Verdict: "deny"}, "<132>"},
		{16, journal.Record{Event: "decision", Verdict: "would_deny"}, "<133>"},
		{16, journal.Record{Event: "decision", Verdict: "allow"}, "<134>"},
		{16, journal.Record{Event: "close", Verdict: "allow"}, "<134>"},
		{16, journal.Record{Event: "start"}, "<133>"},
		{16, journal.Record{Event: "stop"}, "<133>"},
		{16, journal.Record{Event: "reload", Detail: "3 rules"}, "<133>"},
		{16, journal.Record{Event: "reload", Detail: "refused: site.toml:3: …"}, "<131>"},
		{0, journal.Record{Event: "decision", Verdict: "deny"}, "<4>"},
		{23, journal.Record{Event: "decision", Verdict: "allow"}, "<190>"},
	} {
		got := string(syslog{facility: c.facility, host: "-"}.append(nil, &c.r, nil))
		if !strings.HasPrefix(got, c.want+"1 ") {
			t.Errorf("%d, %s %s: %.8s, want %s", c.facility, c.r.Event, c.r.Verdict, got, c.want)
		}
	}
}

// hostile are texts that would end a field, a line or a message, if they were not escaped.
var hostile = []string{"a\nb", "\r\n<0>1 - forged - - - -", `x"] [forged@1 a="b`, `back\slash`, "]", "\x00\x1b[2J\x7f", "\u202eevil\u2028\u2029\ufeff", "\xff\xfe broken", "😀 Größe", strings.Repeat("<34>1 ", 3000), "100 <1>1 - - - - - -"}

func TestNoMessageForgesAnother(t *testing.T) {
	for _, text := range hostile {
		checkMessage(t, text)
	}
}

// FuzzMessage puts any text into every field that a client can influence.
func FuzzMessage(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkMessage(t, text) })
}

func checkMessage(t *testing.T, text string) {
	t.Helper()
	r := anyRecord
	r.Host, r.HostRaw, r.ClientName, r.Rule, r.Detail, r.SNI, r.Boot, r.Event, r.Reason = text, text, text, text, text, text, text, text, text
	line := r.Append(nil)
	line = line[:len(line)-1]
	got := string(syslog{facility: 16, host: printable(text, 255), version: text}.append(nil, &r, asciiJSON(nil, line)))
	m := message5424.FindStringSubmatch(got)
	if m == nil || !utf8.ValidString(got) {
		t.Fatalf("%q: not a message of RFC 5424: %q", text, got)
	}
	if _, err := time.Parse(time.RFC3339Nano, m[2]); err != nil {
		t.Error(err)
	}
	if strings.ContainsFunc(got, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x202e || r == 0xfeff
	}) {
		t.Errorf("%q: control characters in %q", text, got)
	}
	if n := strings.Count(m[7], "["+element+" "); n != 1 {
		t.Errorf("%q: %d elements", text, n)
	}
	var before, after map[string]any
	if err := json.Unmarshal(line, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(m[8]), &after); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("%q: the record changed: %v\n%v\n%v", text, err, before, after)
	}
}

// A line of another program keeps its value too: characters beyond the first plane, and white space
// between the values.
func TestASCIIJSON(t *testing.T) {
	in := "{\"a\":\t\"é\u2028😀\x7f\" ,\"b\":\"\\n\"}"
	got := string(asciiJSON(nil, []byte(in)))
	if want := `{"a": "\u00e9\u2028\ud83d\ude00\u007f" ,"b":"\n"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func ExampleCursorPath() {
	fmt.Println(CursorPath("/var/log/sallyport/denials.jsonl", "siem"))
	// Output: /var/log/sallyport/denials.jsonl.sink-siem.json
}
