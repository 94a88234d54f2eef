// Internationalised names, as a configuration may have them.

package rules

import (
	"errors"
	"testing"
)

// A configuration may contain IDNs. Each gets exactly one A-label form.
func TestParseIDN(t *testing.T) {
	for _, c := range []struct {
		raw, want string
		err       error
	}{
		{"b\u00fccher.example", "xn--bcher-kva.example", nil},
		{"B\u00dcCHER.example.", "xn--bcher-kva.example", nil},
		{"stra\u00dfe.example", "xn--strae-oqa.example", nil},
		{"plain.example", "plain.example", nil},
		{"\uff11\uff12\uff17.0.0.1", "", ErrNameNumeric},
		{"a\u202eb.example", "", ErrNameIDN},
		{"\xff.example", "", ErrNameIDN},
		{"\u00fc..example", "", ErrNameIDN},
		{"\u00fc" + label63 + ".example", "", ErrNameIDN},
	} {
		n, err := ParseIDN(c.raw)
		if n.String() != c.want || !errors.Is(err, c.err) {
			t.Errorf("ParseIDN(%q) = %q, %v; want %q, %v", c.raw, n, err, c.want, c.err)
		}
	}
}
