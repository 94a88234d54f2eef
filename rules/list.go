// List: the entries of the list files of one rule, in a form that holds millions of them.

package rules

import (
	"iter"
	"net/netip"
	"slices"
)

// A List is an immutable set of names, wildcards, addresses and prefixes that a site keeps
// in files beside its configuration. Clients and rules that name the same files share one
// List. A nil List is empty.
type List struct {
	files  []listFile
	names  listTable
	addrs  listAddrs
	count  int // names and wildcards
	digest [32]byte
}

// A listFile is one of the files of a List. Lines are counted through all files.
type listFile struct {
	name  string
	lines int // in the files before it
}

// Len returns the number of different entries. Prefixes inside of others do not count.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return l.count + len(l.addrs.v4) + len(l.addrs.v6)
}

// HasNames reports whether the list has a name or a wildcard.
func (l *List) HasNames() bool { return l != nil && l.count > 0 }

// Files returns the names of the files.
func (l *List) Files() (out []string) {
	if l == nil {
		return nil
	}
	for _, f := range l.files {
		out = append(out, f.name)
	}
	return out
}

// Digest returns a hash of the entries. Lists with equal entries have the same digest,
// whatever their files are.
func (l *List) Digest() (out [32]byte) {
	if l != nil {
		out = l.digest
	}
	return out
}

// Has reports whether the list has a name, exactly or by a wildcard. It allocates nothing.
func (l *List) Has(n Name) bool {
	if l == nil || len(l.names.buckets) == 0 || n.IsZero() {
		return false
	}
	if has, _ := l.names.whole(n); has&hasExact != 0 {
		return true
	}
	wild, _, _ := l.names.above(n)
	return wild
}

// match reports whether the list has a name. If it does not, near reports whether it has
// a similar name: a parent, or another name below one that is not a public suffix.
func (l *List) match(n Name) (listed, near bool) {
	has, _ := l.names.whole(n)
	if has&hasExact != 0 {
		return true, false
	}
	wild, _, near := l.names.above(n)
	return wild, near || has&(hasWild|hasNear) != 0
}

// hasExact reports whether the list has the name itself.
func (l *List) hasExact(n Name) bool {
	has, _ := l.names.whole(n)
	return has&hasExact != 0
}

// hasBelow reports whether the list has names below n.
func (l *List) hasBelow(n Name) bool {
	has, _ := l.names.whole(n)
	return has&(hasBelow|hasWild) != 0
}

// HasAddr reports whether the list has an address, or a prefix with it. It allocates
// nothing.
func (l *List) HasAddr(a netip.Addr) bool {
	if l == nil {
		return false
	}
	p, _ := l.addrs.find(a)
	return p.IsValid()
}

// Find returns the file and line of the entry that lists a name; line 0: none does.
func (l *List) Find(n Name) (file string, line int) {
	if l == nil || n.IsZero() {
		return "", 0
	}
	if has, at := l.names.whole(n); has&hasExact != 0 {
		return l.place(l.names.lineAt(at, false))
	}
	if wild, at, _ := l.names.above(n); wild {
		return l.place(l.names.lineAt(at, true))
	}
	return "", 0
}

// FindAddr returns the file and line of the entry that lists an address; line 0: none does.
func (l *List) FindAddr(a netip.Addr) (file string, line int) {
	if l == nil {
		return "", 0
	}
	if _, line := l.addrs.find(a); line != 0 {
		return l.place(line)
	}
	return "", 0
}

// place returns the file of a line, and the line's number in that file.
func (l *List) place(line int) (string, int) {
	i := len(l.files) - 1
	for i > 0 && l.files[i].lines >= line {
		i--
	}
	return l.files[i].name, line - l.files[i].lines
}

// All yields every entry: first names and wildcards, then prefixes.
func (l *List) All() iter.Seq[Destination] {
	return func(yield func(Destination) bool) {
		for d := range l.Names() {
			if !yield(d) {
				return
			}
		}
		for p := range l.Prefixes() {
			if !yield(Destination{Prefix: p}) {
				return
			}
		}
	}
}

// Names yields every name and wildcard.
func (l *List) Names() iter.Seq[Destination] {
	return func(yield func(Destination) bool) {
		if l == nil {
			return
		}
		for n, kind := range l.names.from(0) {
			if kind&hasExact != 0 && !yield(Destination{Name: n}) || kind&hasWild != 0 && !yield(Destination{Name: n, Wildcard: true}) {
				return
			}
		}
	}
}

// Prefixes yields every address and prefix, without those inside of others.
func (l *List) Prefixes() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		if l == nil {
			return
		}
		for _, p := range l.addrs.v4 {
			if !yield(p.prefix()) {
				return
			}
		}
		for _, p := range l.addrs.v6 {
			if !yield(p.prefix()) {
				return
			}
		}
	}
}

// equal reports whether two lists have the same entries.
func (l *List) equal(o *List) bool { return l == o || l.Len() == o.Len() && l.Digest() == o.Digest() }

// coversList reports whether l has everything that o has, as far as that can be told in
// short time: o is empty, equal or short.
func (l *List) coversList(o *List) bool {
	const short = 256
	switch {
	case o.Len() == 0 || l.equal(o):
		return true
	case l.Len() == 0 || o.Len() > short:
		return false
	}
	entries := slices.Collect(o.All())
	return !slices.ContainsFunc(entries, func(d Destination) bool { return !l.covers(d) })
}

// covers reports whether one entry lists d and everything that d stands for.
func (l *List) covers(d Destination) bool {
	switch {
	case l.Len() == 0:
		return false
	case d.Prefix.IsValid():
		p, _ := l.addrs.find(d.Prefix.Addr())
		return p.IsValid() && Covers(p, d.Prefix)
	case !d.Wildcard:
		return l.Has(d.Name)
	}
	has, _ := l.names.whole(d.Name)
	wild, _, _ := l.names.above(d.Name)
	return wild || has&hasWild != 0
}
