// Tests that a record restores its attempt exactly, or reports what is missing.

package journal

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sallyport/rules"
)

// drawAttempt returns a random attempt that a front end could make. Its texts are
// shorter than their caps.
func drawAttempt(t *rapid.T) rules.Attempt {
	names := rapid.SampledFrom([]string{"", "a.example", "update.example", "x--1._tcp.example", "xn--mnchen-3ya.example",
		strings.Repeat("n", 63) + "." + strings.Repeat("m", 60) + ".example"})
	addrs := rapid.SampledFrom([]string{"", "192.0.2.1", "10.0.0.7", "2001:db8::1", "::", "64:ff9b::a00:1", "fe80::1"})
	name := func(what string) (n rules.Name) {
		if s := names.Draw(t, what); s != "" {
			n, _ = rules.ParseName(s)
		}
		return n
	}
	addr := func(what string) (a netip.Addr) {
		if s := addrs.Draw(t, what); s != "" {
			a = netip.MustParseAddr(s)
		}
		return a
	}
	port := rapid.SampledFrom([]uint16{0, 53, 80, 443, 65535})
	a := rules.Attempt{
		Flow: rapid.Uint64().Draw(t, "flow"), Client: netip.AddrPortFrom(addr("client"), rapid.Uint16().Draw(t, "client port")),
		Via:   rapid.SampledFrom([]rules.Via{rules.ViaUnknown, rules.ViaDNS, rules.ViaHTTP, rules.ViaConnect, rules.ViaSOCKS5, rules.ViaTransparent, rules.ViaUDP}).Draw(t, "via"),
		Proto: rapid.SampledFrom([]rules.Proto{rules.ProtoUnknown, rules.TCP, rules.UDP}).Draw(t, "proto"),
		Shown: rapid.SampledFrom([]rules.Shown{rules.Unseen, rules.ShownTLS, rules.ShownHTTP, rules.ShownOpaque, rules.ShownSilent}).Draw(t, "shown"),
		Fault: rapid.SampledFrom(append(rules.Reasons(), rules.ReasonNone)).Draw(t, "fault"),
		ECH:   rapid.Bool().Draw(t, "ech"), Provisional: rapid.Bool().Draw(t, "provisional"), ByAddress: rapid.Bool().Draw(t, "by address"), HostIgnored: rapid.Bool().Draw(t, "host ignored"),
		Mismatch: rapid.Bool().Draw(t, "mismatch"), SourceProven: rapid.Bool().Draw(t, "proven"),
		QType: rapid.SampledFrom([]uint16{0, 1, 12, 16, 28, 65, 255, 4711, 65535}).Draw(t, "qtype"), HostPort: port.Draw(t, "host port"),
		Authority: name("authority"), SNI: name("sni"), Dest: netip.AddrPortFrom(addr("dest"), port.Draw(t, "port")),
		Detail: string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "detail")) + rapid.SampledFrom([]string{"", `\x0a \x \xfg`, "\x00\u202e"}).Draw(t, "odd"),
	}
	if parent := rapid.SampledFrom([]string{"", "corporate", "spare"}).Draw(t, "parent"); parent != "" {
		a.Parent = &rules.Parent{Name: parent}
	}
	if a.Fault == rules.DNSBogus { // as front ends say it
		a.Fault, a.Unproven = rules.ReasonNone, true
	}
	a.Identity, _ = rules.ParseIdentity(rapid.SampledFrom([]string{"", "user:alice", "DNS:es.corp.example", "user:j\u00f6rg CN=Es Manager"}).Draw(t, "identity"))
	if rapid.Bool().Draw(t, "Host is a name") {
		a.Host = name("host")
	} else {
		a.HostAddr = addr("host address")
	}
	if o := addr("original"); o.IsValid() {
		a.Original = netip.AddrPortFrom(o, port.Draw(t, "original port"))
	}
	for range rapid.IntRange(0, capList).Draw(t, "addresses") {
		if r := addr("resolved"); r.IsValid() {
			a.Resolved = append(a.Resolved, r)
		}
	}
	for range rapid.IntRange(0, 8).Draw(t, "pins") {
		if n := name("pinned"); !n.IsZero() {
			a.Pinned = append(a.Pinned, n)
		}
	}
	if raw := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "raw"); len(raw) > 0 {
		a.Raw = raw
	}
	return a
}

// written returns the record that a reader of the journal gets for an entry.
func written(t interface{ Fatalf(string, ...any) }, e *entry) *Record {
	var r, back Record
	r.fill(e, rules.Hint)
	r.Boot, r.Seq = "b", 1
	r.Time = noon
	line := r.Append(nil)
	if err := newDecoder().decode(line, &back); err != nil || len(line) > MaxLine {
		t.Fatalf("%v, %d octets: %s", err, len(line), line)
	}
	if again := back.Append(nil); string(again) != string(line) {
		t.Fatalf("read and written again\n%s is\n%s", line, again)
	}
	return &back
}

// Every field of an attempt is unchanged after it was written and read back.
func TestRecordGivesItsAttemptBack(t *testing.T) {
	seen := map[string]bool{}
	check := func(t *rapid.T) {
		a := drawAttempt(t)
		r := written(t, &entry{at: noon, event: EventDecision, a: a, count: 1})
		got, err := r.Attempt()
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, a)
		}
		r = written(t, &entry{at: noon, event: EventClose, detail: "idle", a: a, count: 1})
		got, err = r.Attempt()
		if a.Detail = ""; err != nil || r.Detail != "idle" || !reflect.DeepEqual(got, a) {
			t.Fatalf("of a close: %v\ngot  %+v\nwant %+v", err, got, a)
		}
		for i, v := 0, reflect.ValueOf(got); i < v.NumField(); i++ {
			seen[v.Type().Field(i).Name] = seen[v.Type().Field(i).Name] || !v.Field(i).IsZero()
		}
		seen["Detail"] = seen["Detail"] || r.Detail != ""
		delete(seen, "Generation") // it belongs to the running process
	}
	var never []string
	for range 20 { // -short tries few attempts: repeat until each field was set
		rapid.Check(t, check)
		never = nil
		for f := range seen {
			if !seen[f] {
				never = append(never, f)
			}
		}
		if t.Failed() || len(never) == 0 {
			return
		}
	}
	t.Errorf("%s were never set: the attempts that are tried lack them", never)
}

// A record of several attempts restores the fields that are equal in all of
// them. It lists the other fields as omitted, and gives them no value.
func TestFoldedRecordNamesWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := drawAttempt(t)
		e := entry{at: noon, event: EventDecision, a: first, count: 1}
		e.own()
		all := []rules.Attempt{first}
		for range rapid.IntRange(1, 4).Draw(t, "more") {
			b := drawAttempt(t)
			mixed := first
			from, to := reflect.ValueOf(b), reflect.ValueOf(&mixed).Elem()
			for i := range from.NumField() {
				if rapid.IntRange(0, 9).Draw(t, "differs") == 0 {
					to.Field(i).Set(from.Field(i))
				}
			}
			if !mixed.Host.IsZero() {
				mixed.HostAddr = netip.Addr{} // a Host header has a name or an address, not both
			}
			mixed.Unproven = mixed.Unproven && mixed.Fault == rules.ReasonNone // a fault comes first
			all = append(all, mixed)
			e.merge(&entry{at: noon, event: EventDecision, a: mixed, count: 1})
		}
		r := written(t, &e)
		got, err := r.Attempt()
		if err != nil && !errors.Is(err, ErrFolded) && !errors.Is(err, ErrCut) {
			t.Fatal(err)
		}
		for _, a := range all {
			if a.Flow = 0; a.Client.Port() != got.Client.Port() && got.Client.Port() == 0 {
				a.Client = netip.AddrPortFrom(a.Client.Addr(), 0)
			}
			for i, v := 0, reflect.ValueOf(a); i < v.NumField(); i++ {
				f := v.Type().Field(i).Name
				if g := reflect.ValueOf(got).Field(i); !reflect.DeepEqual(g.Interface(), v.Field(i).Interface()) && !omits(r.Omitted, f, got) {
					t.Fatalf("%s is %v, was %v, and is not in omitted %v", f, g, v.Field(i), r.Omitted.Fields())
				}
			}
		}
		if a, b := all[0], all[len(all)-1]; err == nil && !reflect.DeepEqual(common(a), common(b)) {
			t.Fatalf("no error, and attempts that differ: %+v and %+v", a, b)
		}
	})
}

// common returns a without the fields that a record of several attempts never
// restores.
func common(a rules.Attempt) rules.Attempt {
	a.Flow, a.Client = 0, netip.AddrPortFrom(a.Client.Addr(), 0)
	a.Original, a.Pinned = netip.AddrPort{}, nil // the policy does not always read them
	return a
}

// omits reports whether a field of Attempt is among the omitted fields.
func omits(o Omitted, field string, a rules.Attempt) bool {
	bits := map[string]Omitted{"Client": OmitClient, "Via": omitVia, "Proto": omitProto, "Shown": omitShown, "Fault": omitFault, "Unproven": omitFault, "ECH": omitECH,
		"Provisional": omitProvisional, "ByAddress": omitByAddress, "HostIgnored": omitHostIgnored, "Parent": omitParent, "Identity": omitIdentity, "Mismatch": omitMismatch, "SourceProven": OmitProven, "QType": omitQType,
		"HostPort": omitHTTPHost, "Host": omitHTTPHost, "HostAddr": omitHTTPHost, "Authority": OmitAuthority, "SNI": omitSNI,
		"Dest": omitDest | omitPort, "Original": omitOriginal, "Resolved": omitResolved, "Pinned": omitPinned, "Detail": omitDetail, "Raw": omitRaw}
	return o&bits[field] != 0
}

// After a text was cut, the policy can be asked again. After a list of pins was
// cut, it cannot be asked again if the decision depends on the pins.
func TestCutRecordSaysSo(t *testing.T) {
	long := rules.Attempt{Via: rules.ViaHTTP, Client: netip.MustParseAddrPort("10.0.0.7:4"), Fault: rules.MalformedRequest, Raw: []byte(strings.Repeat("r", 2*rawMax))}
	pinned := rules.Attempt{Via: rules.ViaTransparent, Client: long.Client, ByAddress: true, Dest: netip.MustParseAddrPort("192.0.2.1:22")}
	for range capList + 5 {
		pinned.Pinned = append(pinned.Pinned, name(t, "a.example"))
	}
	shown := pinned
	shown.ByAddress, shown.SNI = false, name(t, "a.example")
	for what, c := range map[string]struct {
		a    rules.Attempt
		want error
	}{"text": {long, ErrCut}, "pins that decide": {pinned, ErrFolded}, "pins beside a name": {shown, ErrCut}} {
		e := entry{at: noon, event: EventDecision, a: c.a, count: 1}
		e.own()
		r := written(t, &e)
		if _, err := r.Attempt(); !errors.Is(err, c.want) || !r.Truncated {
			t.Errorf("%s: %v, truncated %t", what, err, r.Truncated)
		}
	}
}

// A value that cannot be read is an error. It never becomes another attempt.
func TestAttemptOfForeignValues(t *testing.T) {
	good := written(t, &entry{at: noon, event: EventDecision, a: connect(t, "10.0.0.7", "a.example"), count: 1})
	if _, err := good.Attempt(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Record){
		"via": func(r *Record) { r.Via = "quic2" }, "proto": func(r *Record) { r.Proto = "sctp" }, "shown": func(r *Record) { r.Shown = "ssh" },
		"fault": func(r *Record) { r.Fault = "weather" }, "host": func(r *Record) { r.Host = "a b" }, "client": func(r *Record) { r.Client = "me" },
		"qtype": func(r *Record) { r.QType = "TYPE65536" }, "http_host": func(r *Record) { r.HTTPHost = "a.example:x" },
		"dest": func(r *Record) { r.Dest = "1.2.3" }, "original_dst": func(r *Record) { r.OriginalDst = "1.2.3.4" },
		"pinned": func(r *Record) { r.Pinned = []string{"1.2.3.4"} }, "resolved": func(r *Record) { r.Resolved = []string{"x"} },
		"sni": func(r *Record) { r.SNI = "-" }, "authority": func(r *Record) { r.Authority = "." },
	} {
		r := good.Clone()
		change(&r)
		if _, err := r.Attempt(); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, event := range []string{EventStart, EventStop, EventReload, ""} {
		if _, err := (&Record{Schema: 2, Event: event}).Attempt(); !errors.Is(err, ErrNoAttempt) {
			t.Errorf("%q: %v", event, err)
		}
	}
}
