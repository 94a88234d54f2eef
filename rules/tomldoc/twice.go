// Twice: what is said about a key or a table that is written a second time, or in another
// form.

package tomldoc

import (
	"fmt"
	"slices"
	"strings"
)

// twice says where the first of two tables or keys is, and where the second one belongs.
func (e *syntaxError) twice() string {
	s := e.last
	if !e.says("has already been defined") && !e.says("cannot be used as an array") || s.Line == 0 {
		return ""
	}
	before := e.statements[:len(e.statements)-1]
	parent := e.parent(s, before)
	first := firstBelow(before, parent, s.Path)
	if first == nil {
		return ""
	}
	switch {
	case !s.Header:
		return fmt.Sprintf("%s: is on line %d already: keep one of the two", s.Text, first.Line)
	case !first.Header && len(first.Path) <= len(s.Path):
		return fmt.Sprintf("%s: %s on line %d is a key of the same name: keep one of the two", e.line, first.Text, first.Line)
	case s.Array && len(first.Path) > len(s.Path):
		return fmt.Sprintf("[[%s]] comes too late: %s on line %d belongs to it: move [[%[1]s]] with its keys above line %[3]d", s.Text, first.written(), first.Line)
	case s.Array != first.Array:
		return fmt.Sprintf("%s: line %d has %s: write the same brackets in both lines", s.written(), first.Line, first.written())
	case parent != nil && len(parent.Path) < len(s.Path):
		return fmt.Sprintf("%s is on line %d already, for the same %s: put these keys below line %[2]d; if they belong to another %[3]s, put them below its %[3]s",
			s.written(), first.Line, parent.written())
	}
	return fmt.Sprintf("%s is on line %d already: put these keys below line %[2]d", s.written(), first.Line)
}

// parent returns the last array element in which a statement is; nil if it is in none.
func (e *syntaxError) parent(s Statement, before []Statement) *Statement {
	for i := range slices.Backward(before) {
		b := &before[i]
		if b.Array && len(b.Path) < len(s.Path) && slices.Equal(b.Path, s.Path[:len(b.Path)]) {
			return b
		}
	}
	return nil
}

// firstBelow returns the first statement behind the parent that has the path, or that is
// within it.
func firstBelow(before []Statement, parent *Statement, path []string) *Statement {
	for i := range before {
		b := &before[i]
		if (parent == nil || b.Line > parent.Line) && len(b.Path) >= len(path) && slices.Equal(b.Path[:len(path)], path) {
			return b
		}
	}
	return nil
}

// written returns a statement as it is written.
func (s Statement) written() string {
	switch {
	case s.Array:
		return "[[" + strings.Join(s.Path, ".") + "]]"
	case s.Header:
		return "[" + strings.Join(s.Path, ".") + "]"
	}
	return s.Text
}
