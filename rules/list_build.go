// List build: from the entries of files to a List.

package rules

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// A ListBuilder collects the entries of one List. Its zero value is ready.
type ListBuilder struct {
	list    List
	lines   int // in all files so far
	raw     strings.Builder
	entries []rawEntry
}

// Grow makes room for a number of entries and for the octets of their names. Without Grow, a
// builder of many entries copies them again and again, and each copy of many megabytes stops
// the collector, which stops every other goroutine.
func (b *ListBuilder) Grow(entries, octets int) {
	b.entries = append(make([]rawEntry, 0, len(b.entries)+entries), b.entries...) // slices.Grow clears all at once
	b.raw.Grow(octets)
}

// A rawEntry is one name in the order of the files.
type rawEntry struct {
	key   uint64 // see orderKey
	start uint32 // where the name begins in raw
	line  uint32
	size  uint8
	kind  uint8
}

// MaxListLines is the number of lines that all files of one List may have.
const MaxListLines = 2_000_000

// File begins the next file.
func (b *ListBuilder) File(name string) {
	b.list.files = append(b.list.files, listFile{name, b.lines})
}

// Lines ends the current file, which has n lines.
func (b *ListBuilder) Lines(n int) { b.lines += n }

// Add adds an entry of the current file: a name, a wildcard, an address or a prefix. Lines
// count from 1.
func (b *ListBuilder) Add(d Destination, line int) {
	at := uint32(min(b.lines+line, maxListLine))
	if d.Prefix.IsValid() {
		b.list.addrs.add(d.Prefix, at)
		return
	}
	e := rawEntry{key: orderKey(d.Name.s), start: uint32(b.raw.Len()), line: at, size: uint8(len(d.Name.s)), kind: hasExact}
	if d.Wildcard {
		e.kind = hasWild
	}
	b.raw.WriteString(d.Name.s)
	b.entries = append(b.entries, e)
}

// Repeats describes the entries that a List has more than once.
type Repeats struct {
	Count       int
	Text        string // the first repeated entry
	File        string // the file in which the entry is listed again
	Line        int
	EarlierFile string
	EarlierLine int
}

// Done returns the list, and which entries were repeated. The builder must not be used
// again.
func (b *ListBuilder) Done() (*List, Repeats) {
	l, least := new(List), uint32(0)
	*l = b.list
	var repeats Repeats
	twice := func(text string, first, second uint32) {
		if repeats.Count++; least == 0 || second < least {
			least, repeats.Text = second, text
			repeats.EarlierFile, repeats.EarlierLine = l.place(int(first))
			repeats.File, repeats.Line = l.place(int(second))
		}
	}
	raw := b.raw.String()
	name := func(e rawEntry) string { return raw[e.start : e.start+uint32(e.size)] }
	slices.SortFunc(b.entries, func(x, y rawEntry) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Or(compareBackwards(name(x), name(y)), cmp.Compare(x.kind, y.kind), cmp.Compare(x.line, y.line))
	})
	l.layText(b.entries, name, twice)
	b.entries = nil
	l.addrs.settle(twice)
	l.hashNames()
	l.sum()
	return l, repeats
}

// layText writes the sorted entries into the text of the list.
func (l *List) layText(entries []rawEntry, name func(rawEntry) string, twice func(text string, first, second uint32)) {
	size := 0
	for i, e := range entries {
		switch {
		case i == 0 || name(entries[i-1]) != name(e):
			size += int(e.size) + metaSize
		case entries[i-1].kind != e.kind:
			size += metaSize
		}
	}
	var b strings.Builder
	b.Grow(size)
	var meta [2 * metaSize]byte
	for i := 0; i < len(entries); {
		n := name(entries[i])
		var lines [hasWild + 1]uint32 // by kind
		for ; i < len(entries) && name(entries[i]) == n; i++ {
			e := entries[i]
			if first := lines[e.kind]; first != 0 {
				twice(Destination{Name: Name{n}, Wildcard: e.kind == hasWild}.String(), first, e.line)
				continue
			}
			lines[e.kind] = e.line
			l.count++
		}
		switch exact, wild := lines[hasExact], lines[hasWild]; {
		case exact != 0 && wild != 0:
			b.Write(appendMeta(appendMeta(meta[:0], wild, hasWild), exact, hasExact|hasWild))
		case exact != 0:
			b.Write(appendMeta(meta[:0], exact, hasExact))
		default:
			b.Write(appendMeta(meta[:0], wild, hasWild))
		}
		b.WriteString(n)
	}
	l.names.text = b.String()
}

// A listLevel is a name or a parent of a name, while the names below it are
// visited.
type listLevel struct {
	has *uint8 // what the table knows of this name; nil while keys are only counted
	end int    // octets from the first octet of this name to the end of the whole name
}

// hashNames enters every name into the table, and every parent of a name.
func (l *List) hashNames() {
	keys := 0
	l.eachKey(func(string, uint32, uint8) *uint8 { keys++; return nil })
	if keys == 0 {
		return
	}
	l.names.makeBuckets(keys)
	l.eachKey(l.names.insert)
}

// eachKey visits every name and every parent of a name once. The text is sorted, so a
// parent is new if the name before does not have it.
func (l *List) eachKey(insert func(key string, start uint32, has uint8) *uint8) {
	var path []listLevel // the parents of the name before, from the last label on, and itself
	before := ""
	text := l.names.text
	for at := 0; at < len(text); {
		for text[at] >= 0x80 {
			at++
		}
		end := nameEnd(text, at)
		n := text[at:end]
		_, kind := metaBefore(text, uint32(at))
		path = path[:sharedLevels(path, before, n)]
		if len(path) > 0 && path[len(path)-1].has != nil {
			*path[len(path)-1].has |= hasBelow
		}
		for from := len(n) - levelEnd(path) - 1; from > 0; {
			start := labelStart(n, from)
			if start == 0 {
				break
			}
			has := uint8(hasBelow)
			if !isSuffix(n[start:]) {
				has |= hasNear
			}
			path = append(path, listLevel{insert(n[start:], uint32(at+start), has), len(n) - start})
			from = start - 1
		}
		if kind&hasExact != 0 {
			kind |= hasNear
		}
		path = append(path, listLevel{insert(n, uint32(at), kind), len(n)})
		before, at = n, end
	}
}

func levelEnd(path []listLevel) int {
	if len(path) == 0 {
		return -1
	}
	return path[len(path)-1].end
}

// sharedLevels returns how many levels of the path to the name before are parents of n.
func sharedLevels(path []listLevel, before, n string) int {
	shared := len(path)
	for shared > 0 {
		end := path[shared-1].end
		if len(n) > end && n[len(n)-end-1] == '.' && n[len(n)-end:] == before[len(before)-end:] {
			break
		}
		shared--
	}
	return shared
}

// sum sets the digest.
func (l *List) sum() {
	hash := sha256.New()
	h := bufio.NewWriter(hash) // a hash returns no errors
	for n, kind := range l.names.from(0) {
		_, _ = h.WriteString(n.s)
		_ = h.WriteByte(0x80 | kind)
	}
	var tail [5]byte
	for _, p := range l.addrs.v4 {
		binary.BigEndian.PutUint32(tail[:], p.first)
		tail[4] = byte(p.tail & (1<<lengthBits4 - 1))
		_, _ = h.Write(tail[:])
	}
	for _, p := range l.addrs.v6 {
		_, _ = h.Write(p.first[:])
		_ = h.WriteByte(byte(p.tail))
	}
	_ = h.Flush()
	hash.Sum(l.digest[:0])
}
