package terminal

import (
	"bytes"
	"strings"
	"testing"
)

// The bar counts what is done, on one line that it wipes away.
func TestProgressCounts(t *testing.T) {
	var b bytes.Buffer
	bar := &Bar{w: &b}
	show := bar.Count("destinations")
	show(3, 12)
	show(4, 12) // too soon to be drawn again
	bar.Clear()
	if got := b.String(); strings.Count(got, "\r") != 2 || !strings.Contains(got, " 25 %  3 of 12 destinations") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
	if (&Bar{}).Count("destinations") != nil {
		t.Error("a bar without a terminal is drawn")
	}
}
