// Tests that a record is one line of JSON for any text of a client, and is read back unchanged.

package journal

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var sample = Record{
	Schema: 2, Time: time.Date(2026, 11, 30, 23, 59, 59, 123456000, time.UTC), Seq: 17, Boot: "k3j5x", Event: EventClose,
	Verdict: VerdictWouldDeny, Mode: "audit", Via: "transparent", Client: "10.0.0.7", ClientName: "es-manager",
	Profile: "endpoint-secure-onprem", Host: "evil.example", HostRaw: "ev\x1b[31mil", Port: 443, Proto: "tcp",
	SNI: "sni.example", OriginalDst: "[2001:db8::1]:443", Mismatch: true, Resolved: []string{"192.0.2.1", "192.0.2.2"},
	Dialed: "192.0.2.1:443", ECH: true, Reason: "not_listed", Detail: "d", Rule: "p/r", Source: "Guide, section 1",
	Nearest: "p/n", Hint: "turn on \"x\"", Known: "TICKET-9", Count: 3, BytesIn: 1, BytesOut: 2, DurationMS: 3, Flow: 4, Truncated: true,
	Question: Question{ClientPort: 40000, SourceProven: true, Authority: "proxy.example", Dest: "192.0.2.1", QType: "TXT", HTTPHost: "evil.example:80",
		HostIgnored: true, Shown: "tls", Parent: "corporate", Identity: "user:alice", DialedBy: "address", ByAddress: true, Pinned: []string{"a.example", "b.example"}, Provisional: true, Fault: "limit", Omitted: omitDetail | omitRaw},
}

// Other programs rely on the names, the order and the types of the fields.
func TestRecordHasTheDocumentedFields(t *testing.T) {
	const want = `{"schema":2,"time":"2026-11-30T23:59:59.123456Z","seq":17,"boot":"k3j5x","event":"close",` +
		`"verdict":"would_deny","mode":"audit","via":"transparent","client":"10.0.0.7","client_port":40000,"source_proven":true,` +
		`"client_name":"es-manager","identity":"user:alice","profile":"endpoint-secure-onprem","host":"evil.example","host_raw":"ev\u001b[31mil",` +
		`"authority":"proxy.example","dest":"192.0.2.1","port":443,"proto":"tcp","qtype":"TXT","http_host":"evil.example:80","host_ignored":true,` +
		`"sni":"sni.example","shown":"tls","original_dst":"[2001:db8::1]:443","by_address":true,"pinned":["a.example","b.example"],` +
		`"mismatch":true,"resolved":["192.0.2.1","192.0.2.2"],"dialed":"192.0.2.1:443","parent":"corporate","dialed_by":"address","ech":true,"provisional":true,"fault":"limit",` +
		`"reason":"not_listed","detail":"d","rule":"p/r","source":"Guide, section 1","nearest":"p/n","hint":"turn on \"x\"","known":"TICKET-9","count":3,` +
		`"omitted":["host_raw","detail"],"bytes_in":1,"bytes_out":2,"duration_ms":3,"flow":4,"truncated":true}` + "\n"
	if got := string(sample.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	bare := Record{Schema: 2, Time: sample.Time, Seq: 1, Boot: "b", Event: EventStart}
	if got, want := string(bare.Append(nil)), `{"schema":2,"time":"2026-11-30T23:59:59.123456Z","seq":1,"boot":"b","event":"start"}`+"\n"; got != want {
		t.Errorf("what does not apply is absent: got %s", got)
	}
	if id := sample.ID(); id != "k3j5x-17" {
		t.Errorf("ID %q", id)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 60, 200)
		r := Record{Schema: 2, Time: time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, "time")).UTC(), Seq: rapid.Uint64().Draw(t, "seq"),
			Event: EventClose, Boot: text.Draw(t, "boot"), Host: text.Draw(t, "host"), HostRaw: text.Draw(t, "raw"), SNI: text.Draw(t, "sni"),
			Port: rapid.Uint16().Draw(t, "port"), Resolved: rapid.SliceOfN(rapid.StringN(0, 8, 10), 1, 16).Draw(t, "resolved"),
			Detail: text.Draw(t, "detail"), Hint: text.Draw(t, "hint"), Count: rapid.Uint64().Draw(t, "count"),
			BytesIn: rapid.Uint64().Draw(t, "in"), DurationMS: rapid.Int64Range(0, 1<<62).Draw(t, "ms"), ECH: rapid.Bool().Draw(t, "ech"),
			Question: Question{ClientPort: rapid.Uint16().Draw(t, "client port"), SourceProven: rapid.Bool().Draw(t, "proven"),
				Authority: text.Draw(t, "authority"), Dest: text.Draw(t, "dest"), QType: text.Draw(t, "qtype"), HTTPHost: text.Draw(t, "http host"),
				Shown: text.Draw(t, "shown"), ByAddress: rapid.Bool().Draw(t, "by address"), HostIgnored: rapid.Bool().Draw(t, "host ignored"), Fault: text.Draw(t, "fault"),
				Pinned: rapid.SliceOfN(rapid.StringN(0, 8, 10), 1, 16).Draw(t, "pinned"), Provisional: rapid.Bool().Draw(t, "provisional"),
				Omitted: Omitted(rapid.Uint32Range(0, uint32(omitOther)<<1-1).Draw(t, "omitted"))}}
		line := r.Append(nil)
		var got Record
		if err := newDecoder().decode(line, &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if !got.Truncated && !reflect.DeepEqual(got, r) {
			t.Fatalf("got  %+v\nwant %+v\nline %s", got, r, line)
		}
		sameAsJSON(t, line, &got)
	})
}

// sameAsJSON compares a decoded record with the result of encoding/json.
func sameAsJSON(t interface{ Fatalf(string, ...any) }, line []byte, r *Record) {
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", line, err)
	}
	for k, v := range m {
		if p := r.textField(k); p != nil && *p != v {
			t.Fatalf("%s is %q, encoding/json says %q", k, *p, v)
		}
	}
	for k, n := range map[string]uint64{"seq": r.Seq, "count": r.Count, "flow": r.Flow, "port": uint64(r.Port), "client_port": uint64(r.ClientPort), "bytes_in": r.BytesIn, "duration_ms": uint64(r.DurationMS)} {
		got, _ := m[k].(json.Number)
		if want := json.Number(jsonText(n)); got != want && (got != "" || n != 0) {
			t.Fatalf("%s is %d, encoding/json says %s", k, n, got)
		}
	}
	for k, v := range map[string]bool{"ech": r.ECH, "mismatch": r.Mismatch, "provisional": r.Provisional, "by_address": r.ByAddress, "host_ignored": r.HostIgnored,
		"source_proven": r.SourceProven, "truncated": r.Truncated} {
		if want, _ := m[k].(bool); want != v {
			t.Fatalf("%s is %t, encoding/json says %t", k, v, want)
		}
	}
	for k, got := range map[string][]string{"resolved": r.Resolved, "pinned": r.Pinned} {
		list, _ := m[k].([]any)
		if len(list) != len(got) {
			t.Fatalf("%s is %q, encoding/json says %q", k, got, list)
		}
		for i, v := range list {
			if v != got[i] {
				t.Fatalf("%s is %q, encoding/json says %q", k, got, list)
			}
		}
	}
}

func jsonText(v any) string { b, _ := json.Marshal(v); return string(b) }

// Any text of a client becomes one line in which every character is visible.
func TestHostileTextIsEscapedAndCapped(t *testing.T) {
	for what, raw := range map[string]string{
		"CRLF":               "a\r\n{\"schema\":1,\"verdict\":\"allow\"}\r\n",
		"terminal escapes":   "\x1b]0;owned\x07\x1b[2J\x9b31m",
		"line separators":    "a\u2028b\u2029c\u0085d",
		"right to left":      "\u202egnp.exe\u2066\u200f\u200b\ufeff",
		"invalid UTF-8":      "\xff\xfe\xc0\xaf\xed\xa0\x80",
		"NUL and DEL":        "\x00\x7f",
		"tags, beyond BMP":   "\U000e0041\U0001f600\U0010ffff",
		"quotes":             `"}\" \u0000 \`,
		"64 KiB":             strings.Repeat("a", 64<<10),
		"64 KiB of NUL":      strings.Repeat("\x00", 64<<10),
		"64 KiB of bad UTF8": strings.Repeat("\xff", 64<<10),
	} {
		t.Run(what, func(t *testing.T) {
			r := Record{Schema: 2, Time: sample.Time, Event: EventClose, HostRaw: raw, Detail: raw, Hint: raw, Source: raw, Host: raw,
				SNI: raw, ClientName: raw, Profile: raw, Rule: raw, Nearest: raw, Boot: raw, Verdict: raw, Mode: raw, Via: raw, Client: raw,
				Proto: raw, OriginalDst: raw, Dialed: raw, Reason: raw, Resolved: []string{raw, raw},
				Question: Question{Authority: raw, Dest: raw, QType: raw, HTTPHost: raw, Shown: raw, Fault: raw, Pinned: []string{raw, raw}, Omitted: 1<<32 - 1}}
			line := r.Append(nil)
			body, end := line[:len(line)-1], line[len(line)-1]
			if end != '\n' || !json.Valid(body) || len(line) > MaxLine {
				t.Fatalf("%d octets, not one line of JSON: %.200q", len(line), line)
			}
			for _, c := range string(body) {
				if !unicode.IsPrint(c) || c == utf8.RuneError {
					t.Fatalf("%U stands in the line bare", c)
				}
			}
			var m map[string]any
			if err := json.Unmarshal(body, &m); err != nil {
				t.Fatal(err)
			}
			long := len(raw) > 1000
			if m["truncated"] != any(true) && long || !long && m["host_raw"] == "" {
				t.Errorf("truncated %v", m["truncated"])
			}
			if got := m["host_raw"].(string); !long && utf8.ValidString(raw) && got != raw {
				t.Errorf("host_raw is %q, sent was %q", got, raw)
			}
		})
	}
}

// TestTimeIsUTC compares the format of times with RFC 3339.
func TestTimeIsUTC(t *testing.T) {
	east := time.FixedZone("", 5*3600)
	r := Record{Schema: 1, Time: time.Date(2026, 1, 31, 2, 3, 4, 999999999, east), Event: EventStart}
	if line := string(r.Append(nil)); !strings.Contains(line, `"time":"2026-01-30T21:03:04.999999Z"`) {
		t.Error(line)
	}
}

func TestTimesAreReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-30T23:59:59.123456Z":      "2026-11-30T23:59:59.123456Z",
		"2028-02-29T00:00:00.000000Z":      "2028-02-29T00:00:00.000000Z",
		"2026-11-30T23:59:59Z":             "2026-11-30T23:59:59.000000Z",
		"2026-12-01T01:59:59.123456+02:00": "2026-11-30T23:59:59.123456Z",
		"2026-02-29T00:00:00.000000Z":      "",
		"2026-13-01T00:00:00.000000Z":      "",
		"2026-01-01T24:00:00.000000Z":      "",
		"2026-01-01 00:00:00.000000Z":      "",
		"yesterday":                        "",
	} {
		var r Record
		err := newDecoder().decode([]byte(`{"schema":1,"event":"start","time":"`+text+`"}`), &r)
		if got := r.Time.Format(TimeLayout); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = sample.Append(buf[:0])
	}
}

func BenchmarkDecode(b *testing.B) {
	line := sample.Append(nil)
	d := newDecoder()
	var r Record
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.decode(line, &r); err != nil {
			b.Fatal(err)
		}
	}
}
