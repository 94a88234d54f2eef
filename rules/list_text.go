// List text: the names of a List in one string, with the line of each.
//
// An entry is its line and kind, in octets with the high bit set, and then the name. Names
// have no such octets, so the beginning and the end of a name can be found from any place in
// it. The entries are in the order of their octets from the last one to the first, and a dot
// sorts before every other octet. So all names below a name follow it.

package rules

import (
	"cmp"
	"iter"
)

// metaSize is the number of octets in front of a name. A name that the list has both with
// and without a wildcard has twice as many: first the octets of the wildcard.
const metaSize = 4

// maxListLine is the largest line number that an entry can have.
const maxListLine = 1<<26 - 1

// appendMeta appends a line and a kind, hasExact or hasWild or both.
func appendMeta(b []byte, line uint32, kind uint8) []byte {
	return append(b, 0x80|byte(line), 0x80|byte(line>>7), 0x80|byte(line>>14), 0x80|byte(line>>21)|kind<<5)
}

// metaBefore returns the line and the kind in front of a place.
func metaBefore(text string, at uint32) (line uint32, kind uint8) {
	m := text[at-metaSize : at]
	return uint32(m[0]&0x7f) | uint32(m[1]&0x7f)<<7 | uint32(m[2]&0x7f)<<14 | uint32(m[3]&0x1f)<<21, m[3] >> 5 & 3
}

// lineAt returns the line of the entry whose name begins at a place. wild asks for the line
// of the wildcard.
func (t *listTable) lineAt(at uint32, wild bool) int {
	line, kind := metaBefore(t.text, at)
	if wild && kind == hasExact|hasWild {
		line, _ = metaBefore(t.text, at-metaSize)
	}
	return int(line)
}

// from yields the names of the list, in the order of the text. It begins with the entry
// that contains the octet at a place.
func (t *listTable) from(at int) iter.Seq2[Name, uint8] {
	for at > 0 && t.text[at-1] < 0x80 {
		at--
	}
	return func(yield func(Name, uint8) bool) {
		for at < len(t.text) {
			if t.text[at] >= 0x80 {
				at++
				continue
			}
			end := nameEnd(t.text, at)
			if _, kind := metaBefore(t.text, uint32(at)); !yield(Name{t.text[at:end]}, kind) {
				return
			}
			at = end
		}
	}
}

// nameEnd returns the end of the name that contains the octet at a place.
func nameEnd(text string, at int) int {
	for at < len(text) && text[at] < 0x80 {
		at++
	}
	return at
}

// dotFirst changes the octets of names so that a dot sorts before all others.
const dotFirst = ones * 3

// orderKey returns the last eight octets of a name, as a number in the order of the text.
func orderKey(s string) uint64 { return wordBefore(s, len(s)) ^ dotFirst }

// compareBackwards compares two names in the order of the text.
func compareBackwards(a, b string) int {
	endA, endB := len(a), len(b)
	for endA > 0 && endB > 0 {
		if c := cmp.Compare(wordBefore(a, endA)^dotFirst, wordBefore(b, endB)^dotFirst); c != 0 {
			return c
		}
		endA, endB = endA-8, endB-8
	}
	return cmp.Compare(len(a), len(b))
}
