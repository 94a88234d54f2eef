// Name: the canonical form of a host name, and the only function that makes a
// Name.

package rules

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strings"
	"sync"

	"golang.org/x/net/idna"
)

// Limits of a name in presentation form (RFC 1035, section 2.3.4, less the
// length octets and the root label).
const (
	MaxName  = 253 // octets in a whole name, without the trailing dot
	MaxLabel = 63  // octets in one label
)

// The reasons why a text is not a name. Every error of ParseName is one of these
// errors.
var (
	ErrNameEmpty   = errors.New("name is empty")
	ErrNameLong    = errors.New("name is longer than 253 octets")
	ErrLabelEmpty  = errors.New("name has an empty label")
	ErrLabelLong   = errors.New("name has a label longer than 63 octets")
	ErrNameByte    = errors.New("name has a byte other than a letter, digit, hyphen, underscore or dot")
	ErrNameHyphen  = errors.New("name has a label that begins or ends with a hyphen")
	ErrNameNumeric = errors.New("name ends in a number but is not an address")
	ErrNameIDN     = errors.New("name has an xn-- label that is not valid UTS 46")
)

// A Name is a host name in canonical form: ASCII, lower case, no trailing dot, labels
// of 1 to 63 letters, digits, underscores and inner hyphens, at most 253 octets, the
// last label not a number, xn-- labels valid by UTS 46. Only ParseName makes a Name, so
// no other code ever has an invalid name. The zero Name is "no name" and equals no
// parsed name.
type Name struct{ s string }

// String returns the canonical text, "" for the zero Name.
func (n Name) String() string { return n.s }

// IsZero reports whether n is "no name".
func (n Name) IsZero() bool { return n.s == "" }

// Parent returns n without its first label; zero when n has one label only.
func (n Name) Parent() Name {
	if i := strings.IndexByte(n.s, '.'); i >= 0 {
		return Name{n.s[i+1:]}
	}
	return Name{}
}

// Below reports whether n is strictly below suffix, at any depth.
func (n Name) Below(suffix Name) bool {
	d := len(n.s) - len(suffix.s)
	return suffix.s != "" && d > 1 && n.s[d-1] == '.' && n.s[d:] == suffix.s
}

// MarshalText returns the canonical text.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// Each constant repeats one byte in all bytes of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ParseName parses a name from a client or a configuration. It folds A-Z, removes one
// trailing dot and checks everything else. It allocates only for an upper-case letter
// or an xn-- label. It decodes nothing: no percent signs, no brackets, no IDN. For
// configurations use ParseIDN.
func ParseName(raw string) (Name, error) {
	if n := len(raw); n > 0 && raw[n-1] == '.' {
		raw = raw[:n-1]
	}
	n := len(raw)
	if n == 0 {
		return Name{}, ErrNameEmpty
	}
	if n > MaxName {
		return Name{}, ErrNameLong
	}
	// One pass, eight octets at a time, accepts the usual texts: letters, digits, and
	// single dots and hyphens between them. The start counts as a dot.
	var some, pairs uint64 // bits that some octet has; dots or hyphens side by side
	every, plain, before := ^uint64(0), uint64(highs), uint64(0x80)
	var x uint64
	if n >= 8 {
		x = load8(raw, 0)
	} else {
		x = onlyWord(raw)
	}
	for i := 0; ; x = load8(raw, i) {
		t := x | highs // x below 0x80: t-c*ones keeps the high bit where x >= c
		l := t | ones*0x20
		mark := (t - ones*'-') ^ (t - ones*('.'+1))
		plain &= (l - ones*'a') ^ (l - ones*('z'+1)) ^ (t - ones*'0') ^ (t - ones*('9'+1)) ^ mark
		mark &= highs
		some |= x
		every &= x
		pairs |= mark & (mark<<8 | before)
		before = mark >> 56
		if i += 8; i >= n {
			break
		}
		if i > n-8 { // the last word overlaps the one before
			i, before = n-8, 0
		}
	}
	last := raw[n-1]
	if plain != highs || some&highs != 0 || pairs != 0 || last == '-' || last == '.' || n > MaxLabel && longLabel(raw) {
		return parseSlowly(raw)
	}
	if last|0x20 <= 'f' || last|0x20 == 'x' {
		if numeric(raw[labelStart(raw, n):]) {
			return Name{}, ErrNameNumeric
		}
	}
	if every&(ones*0x20) != ones*0x20 { // among the usual octets, only A-Z lack this bit
		raw = lower(raw)
	}
	return Name{raw}, nil
}

// onlyWord loads a text of less than eight octets, and fills the rest with 'a'.
func onlyWord(s string) uint64 {
	x := uint64(ones * 'a')
	for i := len(s) - 1; i >= 0; i-- {
		x = x<<8 | uint64(s[i])
	}
	return x
}

// longLabel reports whether some label has more than 63 octets.
func longLabel(s string) bool {
	for first := 0; len(s)-first > MaxLabel; {
		end := first + MaxLabel + 1
		for ; end > first; end -= 8 {
			if dots := dotsIn(wordBefore(s, end)); dots != 0 {
				end -= bits.LeadingZeros64(dots) >> 3
				break
			}
		}
		if end <= first {
			return true
		}
		first = end
	}
	return false
}

// parseSlowly is ParseName octet by octet. It is for a text that is not a name, or that
// has underscores or several hyphens in a row.
func parseSlowly(raw string) (Name, error) {
	var empty, hyphen, upper, idn bool
	before := byte('.')
	for i := range len(raw) {
		c := raw[i]
		switch {
		case c == '.':
			empty = empty || before == '.'
			hyphen = hyphen || before == '-'
		case c == '-':
			hyphen = hyphen || before == '.'
			idn = idn || before == '-'
		case 'A' <= c && c <= 'Z':
			upper = true
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
		default:
			return Name{}, ErrNameByte
		}
		before = c
	}
	switch {
	case empty || before == '.':
		return Name{}, ErrLabelEmpty
	case hyphen || before == '-':
		return Name{}, ErrNameHyphen
	case longLabel(raw):
		return Name{}, ErrLabelLong
	case numeric(raw[labelStart(raw, len(raw)):]):
		return Name{}, ErrNameNumeric
	}
	if upper {
		raw = lower(raw)
	}
	if idn && !validIDN(raw) {
		return Name{}, ErrNameIDN
	}
	return Name{raw}, nil
}

// lower folds A-Z. It allocates once. It has no branch for the case of a letter, because
// the processor cannot predict such a branch in names like "wWw.eXaMpLe".
func lower(s string) string {
	if len(s) <= 64 {
		var short [64]byte
		return string(foldInto(short[:], s))
	}
	var long [256]byte
	return string(foldInto(long[:], s))
}

// foldInto returns s, folded, in buf, which has room for at least eight octets.
func foldInto(buf []byte, s string) []byte {
	if len(s) < 8 {
		binary.LittleEndian.PutUint64(buf, foldWord(onlyWord(s)))
		return buf[:len(s)]
	}
	for i := 0; ; i += 8 {
		i = min(i, len(s)-8) // the last eight octets, if fewer are left
		binary.LittleEndian.PutUint64(buf[i:], foldWord(load8(s, i)))
		if i == len(s)-8 {
			return buf[:len(s)]
		}
	}
}

// foldWord folds the A-Z of eight octets of ASCII.
func foldWord(x uint64) uint64 {
	t := x | highs
	upper := (t - ones*'A') &^ (t - ones*('Z'+1)) & highs
	return x | upper>>2
}

// numeric reports whether some parser of addresses reads a last label as a number:
// decimal digits, or 0x and hexadecimal digits (WHATWG URL, "ends in a number").
func numeric(label string) bool {
	if label[0] < '0' || label[0] > '9' {
		return false
	}
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		for i := 2; i < len(label); i++ {
			if c := label[i] | 0x20; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
		return true
	}
	for i := 0; i < len(label); i++ {
		if label[i] < '0' || label[i] > '9' {
			return false
		}
	}
	return true
}

// strictIDN returns UTS 46, non-transitional, with STD3, hyphen, joiner, bidi and
// length checks. It is made once, because making it costs more than using it.
var strictIDN = sync.OnceValue(func() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true),
		idna.CheckHyphens(true), idna.CheckJoiners(true), idna.BidiRule(), idna.ValidateLabels(true), idna.VerifyDNSLength(true))
})

// validIDN reports whether every xn-- label of a folded name decodes and encodes back to
// itself. The name "xn--.x" and labels that decode to ASCII do not.
func validIDN(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !strings.HasPrefix(label, "xn--") {
			continue
		}
		u, err := strictIDN().ToUnicode(label)
		if err != nil || u == label {
			return false
		}
		if a, err := strictIDN().ToASCII(u); err != nil || a != label {
			return false
		}
	}
	return true
}

// ParseIDN is ParseName for a text in a configuration. It also accepts an
// internationalised name and turns it into A-labels.
func ParseIDN(raw string) (Name, error) {
	for i := 0; i < len(raw); i++ {
		if raw[i] >= 0x80 {
			a, err := strictIDN().ToASCII(strings.TrimSuffix(raw, "."))
			if err != nil {
				return Name{}, ErrNameIDN
			}
			return ParseName(a)
		}
	}
	return ParseName(raw)
}
