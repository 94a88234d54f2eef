// Tests of names: which texts are names, with their canonical form, and which
// are not, with the reason.

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
	{"case", "A.EXAMPLE", "a.example", nil},
	{"mixed case", "wWw.SangFor.cOm", "www.sangfor.com", nil},
	{"Kelvin sign folds to k in Unicode only", "\u212aelvin.example", "", ErrNameByte},
	{"long s folds to s in Unicode only", "\u017fangfor.com", "", ErrNameByte},
	{"one trailing dot", "a.example.", "a.example", nil},
	{"case and trailing dot", "WWW.SANGFOR.COM.", "www.sangfor.com", nil},
	{"two trailing dots", "a.example..", "", ErrLabelEmpty},
	{"leading dot", ".a.example", "", ErrLabelEmpty},
	{"two dots", "a..example", "", ErrLabelEmpty},
	{"a dot", ".", "", ErrNameEmpty},
	{"dots", "..", "", ErrLabelEmpty},
	{"nothing", "", "", ErrNameEmpty},
	{"two dots over a word's edge", "aaaaaaa..example", "", ErrLabelEmpty},
	{"a star is no label", "*.a.example", "", ErrNameByte},
	{"U-label", "b\u00fccher.example", "", ErrNameByte},
	{"A-label", "xn--bcher-kva.example", "xn--bcher-kva.example", nil},
	{"A-label in capitals", "XN--BCHER-KVA.example", "xn--bcher-kva.example", nil},
	{"A-label in the middle", "www.xn--bcher-kva.example", "www.xn--bcher-kva.example", nil},
	{"sharp s is itself, non-transitional", "xn--strae-oqa.example", "xn--strae-oqa.example", nil},
	{"punycode of ASCII", "xn--example-.com", "", ErrNameHyphen},
	{"punycode of what UTS 46 maps away", "xn--a-ecp.ru.example", "", ErrNameIDN}, // a and U+2488
	{"empty punycode", "xn--.example", "", ErrNameHyphen},
	{"bad punycode", "xn--a.example", "", ErrNameIDN},
	{"overflowing punycode", "xn--99999999999.example", "", ErrNameIDN},
	{"ideographic full stop", "a\u3002example", "", ErrNameByte},
	{"full-width digits", "\uff11\uff12\uff17.0.0.1", "", ErrNameByte},
	{"circled letter", "\u24d0.example", "", ErrNameByte},
	{"soft hyphen", "a\u00adb.example", "", ErrNameByte},
	{"zero-width joiner", "a\u200db.example", "", ErrNameByte},
	{"right-to-left override", "a\u202eb.example", "", ErrNameByte},
	{"underscore in front", "_x.a.example", "_x.a.example", nil},
	{"underscore within stays", "a_b.example", "a_b.example", nil},
	{"NUL", "evil\x00.a.example", "", ErrNameByte},
	{"NUL behind", "a.example\x00.evil", "", ErrNameByte},
	{"space", "a b.example", "", ErrNameByte},
	{"tab", "a\tb.example", "", ErrNameByte},
	{"CR", "\r.a.example", "", ErrNameByte},
	{"LF", "\na.example", "", ErrNameByte},
	{"DEL", "a\x7f.example", "", ErrNameByte},
	{"high octet", "a.example\xff", "", ErrNameByte},
	{"control octets that OR 0x20 makes digits, dot and hyphen", "a\x10\x0e\x0d.example", "", ErrNameByte},
	{"at sign and bracket next to the letters", "a@[`{.example", "", ErrNameByte},
	{"percent", "a%2eexample", "", ErrNameByte},
	{"userinfo", "a.example@evil.example", "", ErrNameByte},
	{"backslash", `a.example\@evil`, "", ErrNameByte},
	{"fragment", "a.example#", "", ErrNameByte},
	{"query", "a.example?", "", ErrNameByte},
	{"path", "a.example/x", "", ErrNameByte},
	{"brackets", "[a.example]", "", ErrNameByte},
	{"IPv6", "::1", "", ErrNameByte},
	{"decimal address", "2130706433", "", ErrNameNumeric},
	{"octal address", "0177.0.0.1", "", ErrNameNumeric},
	{"hexadecimal address", "0x7f.1", "", ErrNameNumeric},
	{"last label hexadecimal", "a.0x7f", "", ErrNameNumeric},
	{"last label 0X with capitals", "a.0XfF", "", ErrNameNumeric},
	{"last label 0x alone", "a.0x", "", ErrNameNumeric},
	{"not hexadecimal", "a.0xfg", "a.0xfg", nil},
	{"short address", "127.1", "", ErrNameNumeric},
	{"address with a dot", "127.0.0.1.", "", ErrNameNumeric},
	{"last label numeric", "a.example.09", "", ErrNameNumeric},
	{"first label numeric is a name", "1.2.3.example", "1.2.3.example", nil},
	{"digits and a letter", "example.1a", "example.1a", nil},
	{"port", "a.example:443", "", ErrNameByte},
	{"label of 63", label63 + ".example", label63 + ".example", nil},
	{"label of 64", label63 + "a.example", "", ErrLabelLong},
	{"last label of 64", "example." + label63 + "a", "", ErrLabelLong},
	{"label of 64 in the middle", "a." + label63 + "a.a", "", ErrLabelLong},
	{"only label of 64", label63 + "a", "", ErrLabelLong},
	{"name of 253", name253, name253, nil},
	{"name of 253 and a dot", name253 + ".", name253, nil},
	{"name of 254", name253 + "b", "", ErrNameLong},
	{"127 labels", labels127, labels127, nil},
	{"128 labels", labels127 + ".a", "", ErrNameLong},
	{"single label", "localhost", "localhost", nil},
	{"hyphen in front", "-a.example", "", ErrNameHyphen},
	{"hyphen behind", "a-.example", "", ErrNameHyphen},
	{"hyphen at the end", "a.example-", "", ErrNameHyphen},
	{"hyphen alone", "a.-.example", "", ErrNameHyphen},
	{"hyphen over a word's edge", "aaaaaaa-.example", "", ErrNameHyphen},
	{"hyphens within", "r3---sn-4g5e6nsz.example", "r3---sn-4g5e6nsz.example", nil},
	{"only letters of one octet", "a", "a", nil},
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
