// Names: what is one, in its canonical form, and what is none and why.

package rules

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/idna"
)

var label63 = strings.Repeat("a", 63)

// name253 is the longest name: 127 labels would be 253 octets too.
var name253 = strings.Repeat(label63+".", 3) + strings.Repeat("b", 61)

// labels127 is the name with the most labels, 253 octets.
var labels127 = strings.Repeat("a.", 126) + "a"

var nameTable = []struct {
	attack, raw, want string
	err               error
}{
	{"A1: case", "A.EXAMPLE", "a.example", nil},
	{"A1: mixed case", "wWw.SangFor.cOm", "www.sangfor.com", nil},
	{"A1: Kelvin sign folds to k in Unicode only", "\u212aelvin.example", "", ErrNameByte},
	{"A1: long s folds to s in Unicode only", "\u017fangfor.com", "", ErrNameByte},
	{"A2: one trailing dot", "a.example.", "a.example", nil},
	{"A2: case and trailing dot", "WWW.SANGFOR.COM.", "www.sangfor.com", nil},
	{"A3: two trailing dots", "a.example..", "", ErrLabelEmpty},
	{"A3: leading dot", ".a.example", "", ErrLabelEmpty},
	{"A3: two dots", "a..example", "", ErrLabelEmpty},
	{"A3: a dot", ".", "", ErrNameEmpty},
	{"A3: dots", "..", "", ErrLabelEmpty},
	{"A3: nothing", "", "", ErrNameEmpty},
	{"A3: two dots over a word's edge", "aaaaaaa..example", "", ErrLabelEmpty},
	{"A5: a star is no label", "*.a.example", "", ErrNameByte},
	{"A6: U-label", "b\u00fccher.example", "", ErrNameByte},
	{"A6: A-label", "xn--bcher-kva.example", "xn--bcher-kva.example", nil},
	{"A6: A-label in capitals", "XN--BCHER-KVA.example", "xn--bcher-kva.example", nil},
	{"A6: A-label in the middle", "www.xn--bcher-kva.example", "www.xn--bcher-kva.example", nil},
	{"A6: sharp s is itself, non-transitional", "xn--strae-oqa.example", "xn--strae-oqa.example", nil},
	{"A7: punycode of ASCII", "xn--example-.com", "", ErrNameHyphen},
	{"A7: punycode of what UTS 46 maps away", "xn--a-ecp.ru.example", "", ErrNameIDN}, // a and U+2488
	{"A8: empty punycode", "xn--.example", "", ErrNameHyphen},
	{"A8: bad punycode", "xn--a.example", "", ErrNameIDN},
	{"A8: overflowing punycode", "xn--99999999999.example", "", ErrNameIDN},
	{"A9: ideographic full stop", "a\u3002example", "", ErrNameByte},
	{"A9: full-width digits", "\uff11\uff12\uff17.0.0.1", "", ErrNameByte},
	{"A9: circled letter", "\u24d0.example", "", ErrNameByte},
	{"A9: soft hyphen", "a\u00adb.example", "", ErrNameByte},
	{"A9: zero-width joiner", "a\u200db.example", "", ErrNameByte},
	{"A9: right-to-left override", "a\u202eb.example", "", ErrNameByte},
	{"A10: underscore in front", "_x.a.example", "_x.a.example", nil},
	{"A10: underscore within stays", "a_b.example", "a_b.example", nil},
	{"A11: NUL", "evil\x00.a.example", "", ErrNameByte},
	{"A11: NUL behind", "a.example\x00.evil", "", ErrNameByte},
	{"A12: space", "a b.example", "", ErrNameByte},
	{"A12: tab", "a\tb.example", "", ErrNameByte},
	{"A12: CR", "\r.a.example", "", ErrNameByte},
	{"A12: LF", "\na.example", "", ErrNameByte},
	{"A12: DEL", "a\x7f.example", "", ErrNameByte},
	{"A12: high octet", "a.example\xff", "", ErrNameByte},
	{"A12: control octets that OR 0x20 makes digits, dot and hyphen", "a\x10\x0e\x0d.example", "", ErrNameByte},
	{"A12: at sign and bracket next to the letters", "a@[`{.example", "", ErrNameByte},
	{"A13: percent", "a%2eexample", "", ErrNameByte},
	{"A14: userinfo", "a.example@evil.example", "", ErrNameByte},
	{"A15: backslash", `a.example\@evil`, "", ErrNameByte},
	{"A15: fragment", "a.example#", "", ErrNameByte},
	{"A15: query", "a.example?", "", ErrNameByte},
	{"A15: path", "a.example/x", "", ErrNameByte},
	{"A16: brackets", "[a.example]", "", ErrNameByte},
	{"A17: IPv6", "::1", "", ErrNameByte},
	{"A18: decimal address", "2130706433", "", ErrNameNumeric},
	{"A18: octal address", "0177.0.0.1", "", ErrNameNumeric},
	{"A18: hexadecimal address", "0x7f.1", "", ErrNameNumeric},
	{"A18: last label hexadecimal", "a.0x7f", "", ErrNameNumeric},
	{"A18: last label 0X with capitals", "a.0XfF", "", ErrNameNumeric},
	{"A18: last label 0x alone", "a.0x", "", ErrNameNumeric},
	{"A18: not hexadecimal", "a.0xfg", "a.0xfg", nil},
	{"A18: short address", "127.1", "", ErrNameNumeric},
	{"A18: address with a dot", "127.0.0.1.", "", ErrNameNumeric},
	{"A18: last label numeric", "a.example.09", "", ErrNameNumeric},
	{"A18: first label numeric is a name", "1.2.3.example", "1.2.3.example", nil},
	{"A18: digits and a letter", "example.1a", "example.1a", nil},
	{"A21: port", "a.example:443", "", ErrNameByte},
	{"A24: label of 63", label63 + ".example", label63 + ".example", nil},
	{"A24: label of 64", label63 + "a.example", "", ErrLabelLong},
	{"A24: last label of 64", "example." + label63 + "a", "", ErrLabelLong},
	{"A24: label of 64 in the middle", "a." + label63 + "a.a", "", ErrLabelLong},
	{"A24: only label of 64", label63 + "a", "", ErrLabelLong},
	{"A24: name of 253", name253, name253, nil},
	{"A24: name of 253 and a dot", name253 + ".", name253, nil},
	{"A24: name of 254", name253 + "b", "", ErrNameLong},
	{"A24: 127 labels", labels127, labels127, nil},
	{"A24: 128 labels", labels127 + ".a", "", ErrNameLong},
	{"A25: single label", "localhost", "localhost", nil},
	{"A27: hyphen in front", "-a.example", "", ErrNameHyphen},
	{"A27: hyphen behind", "a-.example", "", ErrNameHyphen},
	{"A27: hyphen at the end", "a.example-", "", ErrNameHyphen},
	{"A27: hyphen alone", "a.-.example", "", ErrNameHyphen},
	{"A27: hyphen over a word's edge", "aaaaaaa-.example", "", ErrNameHyphen},
	{"A27: hyphens within", "r3---sn-4g5e6nsz.example", "r3---sn-4g5e6nsz.example", nil},
	{"A27: only letters of one octet", "a", "a", nil},
}

func TestParseName(t *testing.T) {
	for _, c := range nameTable {
		n, err := ParseName(c.raw)
		if n.String() != c.want || !errors.Is(err, c.err) || err == nil != (c.err == nil) {
			t.Errorf("%s: ParseName(%q) = %q, %v; want %q, %v", c.attack, c.raw, n, err, c.want, c.err)
		}
		if err != nil && !n.IsZero() {
			t.Errorf("%s: an error and a name: %q", c.attack, n)
		}
	}
}

// A name is below another name only at a boundary between labels.
func TestNameBelow(t *testing.T) {
	suffix := Name{"a.example"}
	for raw, want := range map[string]bool{
		"x.a.example": true, "y.x.a.example": true, "a.example": false, "nota.example": false, "example": false,
		"a.example.evil.example": false, "xa.example": false, "b.example": false,
	} {
		if n := mustName(raw); n.Below(suffix) != want {
			t.Errorf("%s below %s is %v", n, suffix, !want)
		}
	}
	if (Name{"a"}).Below(Name{}) || (Name{}).Below(suffix) || !(Name{"a"}).Parent().IsZero() {
		t.Error("the zero Name is above or below something")
	}
}

// slowName does the same as ParseName in the simplest way, close to the text of the
// specification.
func slowName(raw string) (string, error) {
	raw = strings.TrimSuffix(raw, ".")
	if raw == "" {
		return "", ErrNameEmpty
	}
	if len(raw) > 253 {
		return "", ErrNameLong
	}
	folded := make([]byte, len(raw))
	for i := range len(raw) {
		c := raw[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", rune(c)) {
			return "", ErrNameByte
		}
		folded[i] = c
	}
	labels := strings.Split(string(folded), ".")
	for _, bad := range []struct {
		err error
		is  func(label string) bool
	}{
		{ErrLabelEmpty, func(l string) bool { return l == "" }},
		{ErrNameHyphen, func(l string) bool { return l[0] == '-' || l[len(l)-1] == '-' }},
		{ErrLabelLong, func(l string) bool { return len(l) > 63 }},
		{ErrNameNumeric, func(l string) bool { return l == labels[len(labels)-1] && slowNumeric(l) }},
		{ErrNameIDN, func(l string) bool { return strings.HasPrefix(l, "xn--") && !slowRoundTrips(l) }},
	} {
		for _, l := range labels {
			if bad.is(l) {
				return "", bad.err
			}
		}
	}
	return string(folded), nil
}

func slowNumeric(l string) bool {
	digits := "0123456789"
	if rest, ok := strings.CutPrefix(l, "0x"); ok {
		l, digits = rest, "0123456789abcdef"
	}
	return strings.Trim(l, digits) == ""
}

func slowRoundTrips(l string) bool {
	p := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true), idna.BidiRule(), idna.VerifyDNSLength(true))
	u, err := p.ToUnicode(l)
	if err != nil || u == l {
		return false
	}
	a, err := p.ToASCII(u)
	return err == nil && a == l
}

func checkNameTwin(t *testing.T, raw string) {
	t.Helper()
	n, err := ParseName(raw)
	want, wantErr := slowName(raw)
	if n.String() != want || !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
		t.Fatalf("ParseName(%q) = %q, %v; the slow twin says %q, %v", raw, n, err, want, wantErr)
	}
	if err != nil {
		return
	}
	again, err := ParseName(n.String())
	if again != n || err != nil {
		t.Fatalf("%q parses to %q, and that to %q, %v", raw, n, again, err)
	}
}

// randomName makes names and near misses. Its alphabet prefers the octets that
// matter. Its lengths are often at the edges of words and of the limits.
func randomName(r *rand.Rand) string {
	const usual, unusual = "abcxyz019", "--..__AZ@[`{/:\x00\x0d\x0e\x10\x7f\x80\xff *%é"
	lengths := []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 62, 63, 64, 65}
	var b strings.Builder
	for want := []int{4, 20, 63, 64, 128, 252, 253, 254, 260}[r.IntN(9)]; b.Len() < want; {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		if r.IntN(30) == 0 {
			b.WriteString("xn--")
		}
		for n := min(lengths[r.IntN(len(lengths))], want-b.Len()); n > 0; n-- {
			b.WriteByte(usual[r.IntN(len(usual))])
		}
	}
	s := []byte(b.String())
	for range r.IntN(3) {
		s[r.IntN(len(s))] = unusual[r.IntN(len(unusual))]
	}
	if r.IntN(4) == 0 {
		s = append(s, '.')
	}
	return string(s)
}

func TestParseNameAgainstTwin(t *testing.T) {
	for _, c := range nameTable {
		checkNameTwin(t, c.raw)
	}
	r := rand.New(rand.NewPCG(1, 2))
	good := 0
	for range 200_000 {
		raw := randomName(r)
		checkNameTwin(t, raw)
		if _, err := ParseName(raw); err == nil {
			good++
		}
	}
	if good < 20_000 {
		t.Errorf("only %d of the random names are names: the test tests little", good)
	}
}

// ParseName must be right for every octet at every position of a name that spans
// several words.
func TestParseNameEveryOctetEverywhere(t *testing.T) {
	for _, base := range []string{"abc.example", "aaaaaaaa.bbbbbbb.cc", "a", labels127[:40] + "aa"} {
		for i := range len(base) {
			for c := range 256 {
				b := []byte(base)
				b[i] = byte(c)
				checkNameTwin(t, string(b))
			}
		}
	}
}

func FuzzName(f *testing.F) {
	for _, c := range nameTable {
		f.Add(c.raw)
	}
	f.Fuzz(checkNameTwin)
}

func mustName(s string) Name {
	n, err := ParseName(s)
	if err != nil {
		panic(s + ": " + err.Error())
	}
	return n
}
