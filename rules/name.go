// Name: the one canonical form of a host name, and the one function that makes it.

package rules

import (
	"errors"
	"math/bits"
	"strings"

	"golang.org/x/net/idna"
)

// Limits of a name in presentation form (RFC 1035, section 2.3.4, less the
// length octets and the root label).
const (
	MaxName  = 253 // octets in a whole name, without the trailing dot
	MaxLabel = 63  // octets in one label
)

// Why a text is no name. Every error that ParseName returns is one of these.
var (
	ErrNameEmpty   = errors.New("name is empty")
	ErrNameLong    = errors.New("name is longer than 253 octets")
	ErrLabelEmpty  = errors.New("name has an empty label")
	ErrLabelLong   = errors.New("name has a label longer than 63 octets")
	ErrNameByte    = errors.New("name has a byte other than a letter, digit, hyphen, underscore or dot")
	ErrNameHyphen  = errors.New("name has a label that begins or ends with a hyphen")
	ErrNameNumeric = errors.New("name ends in a number: it is an address or nothing")
	ErrNameIDN     = errors.New("name has an xn-- label that is not valid UTS 46")
)

// A Name is a host name in canonical form: ASCII, lower case, no trailing dot,
// labels of 1 to 63 letters, digits, underscores and inner hyphens, at most
// 253 octets, the last label not a number, xn-- labels valid by UTS 46.
// Only ParseName makes one, so an impossible name cannot exist past the edge.
// The zero Name is "no name" and equals nothing that was parsed.
type Name struct{ s string }

// String returns the canonical text, "" for the zero Name.
func (n Name) String() string { return n.s }

// IsZero tells whether n is "no name".
func (n Name) IsZero() bool { return n.s == "" }

// Parent returns n without its first label; zero when n has one label only.
func (n Name) Parent() Name {
	if i := strings.IndexByte(n.s, '.'); i >= 0 {
		return Name{n.s[i+1:]}
	}
	return Name{}
}

// Below tells whether n is strictly below suffix, at any depth.
func (n Name) Below(suffix Name) bool {
	d := len(n.s) - len(suffix.s)
	return suffix.s != "" && d > 1 && n.s[d-1] == '.' && n.s[d:] == suffix.s
}

// MarshalText gives the canonical text.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.s), nil }

// SWAR constants: one byte repeated in each byte of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// atLeast sets the high bit of every byte of x (all below 0x80) that is >= c.
func atLeast(x uint64, c byte) uint64 { return ((x | highs) - ones*uint64(c)) & highs }

// gather moves the high bit of byte i of m to bit i.
func gather(m uint64) uint64 { return (m >> 7) * 0x0102040810204080 >> 56 }

// bits256 has a bit for each octet of a name; octet 0 is bit 0 of word 0.
type bits256 [4]uint64

func (b *bits256) shiftUp() (r bits256) {
	return bits256{b[0] << 1, b[1]<<1 | b[0]>>63, b[2]<<1 | b[1]>>63, b[3]<<1 | b[2]>>63}
}

func (b *bits256) overlaps(o *bits256) bool {
	return b[0]&o[0]|b[1]&o[1]|b[2]&o[2]|b[3]&o[3] != 0
}

// ParseName turns text as it came from a client or a configuration into its
// canonical Name: A-Z folded, one trailing dot removed, everything else
// checked. It allocates only when there is an upper-case letter to fold or an
// xn-- label to check. It never decodes: no percent signs, no brackets, no
// IDN; ParseIDN is for configurations.
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
	// One pass, eight octets at a time, leaves where the dots and hyphens are.
	var dots, hyphens bits256
	var upper uint64
	bad := uint64(0)
	for i := 0; i < n; i += 8 {
		x := word(raw, i)
		bad |= x & highs
		x &^= highs
		up := atLeast(x, 'A') &^ atLeast(x, 'Z'+1)
		upper |= up
		x |= up >> 2
		hy, dot, slash := atLeast(x, '-'), atLeast(x, '.'), atLeast(x, '/')
		ok := atLeast(x, 'a')&^atLeast(x, 'z'+1) |
			atLeast(x, '0')&^atLeast(x, '9'+1) |
			hy&^slash |
			atLeast(x, '_')&^atLeast(x, '_'+1)
		bad |= ok ^ highs
		dots[i>>6] |= gather(dot&^slash) << (i & 63)
		hyphens[i>>6] |= gather(hy&^dot) << (i & 63)
	}
	if bad != 0 {
		return Name{}, ErrNameByte
	}
	starts := dots.shiftUp()
	starts[0] |= 1
	ends := dots
	ends[n>>6] |= 1 << (n & 63)
	afterHyphen := hyphens.shiftUp()
	switch {
	case starts.overlaps(&ends):
		return Name{}, ErrLabelEmpty
	case starts.overlaps(&hyphens), afterHyphen.overlaps(&ends):
		return Name{}, ErrNameHyphen
	case n > MaxLabel && longLabel(&ends, n):
		return Name{}, ErrLabelLong
	case numeric(raw[lastDot(&dots)+1:]):
		return Name{}, ErrNameNumeric
	}
	if upper != 0 {
		raw = strings.ToLower(raw)
	}
	if afterHyphen.overlaps(&hyphens) && !validIDN(raw) {
		return Name{}, ErrNameIDN
	}
	return Name{raw}, nil
}

// word loads the eight octets at i, the missing ones of the last word as 'a'.
func word(s string, i int) uint64 {
	if i+8 <= len(s) {
		s = s[i : i+8]
		return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	}
	x := uint64(ones * 'a')
	for j := len(s) - 1; j >= i; j-- {
		x = x<<8 | uint64(s[j])
	}
	return x
}

// longLabel tells whether some label has more than 63 octets, given the
// positions just behind each label.
func longLabel(ends *bits256, n int) bool {
	start := 0
	for start < n {
		// The label that begins at start must end within the next 64 positions.
		w, b := start>>6, start&63
		window := ends[w] >> b
		if b > 0 && w < 3 {
			window |= ends[w+1] << (64 - b)
		}
		if window == 0 {
			return true
		}
		// Skip to behind the last end in the window: all between were short enough.
		start += 64 - bits.LeadingZeros64(window)
	}
	return false
}

func lastDot(dots *bits256) int {
	for w := 3; w >= 0; w-- {
		if dots[w] != 0 {
			return w<<6 + 63 - bits.LeadingZeros64(dots[w])
		}
	}
	return -1
}

// numeric tells whether a last label is read as a number by some parser of
// addresses: decimal digits, or 0x and hexadecimal digits (WHATWG URL, "ends
// in a number").
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

// strictIDN is UTS 46, non-transitional, with STD3, hyphen, joiner, bidi and
// length checks.
func strictIDN() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true),
		idna.CheckHyphens(true), idna.CheckJoiners(true), idna.BidiRule(), idna.ValidateLabels(true), idna.VerifyDNSLength(true))
}

// validIDN tells whether every xn-- label of a folded name decodes and encodes
// back to itself. "xn--.x" and labels that decode to ASCII do not.
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

// ParseIDN is ParseName for text that a person wrote into a configuration:
// an internationalised name is accepted and turned into its A-labels.
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
