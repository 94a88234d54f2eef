// Lists: the to_files of a rule. Rules that name the same files share one list.

package site

import (
	"strings"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// readLists reads the list files of a rule. The result is nil if it has none.
func (c *Config) readLists(t *tomldoc.Table, disk Disk) *rules.List {
	names := t.Strs("to_files")
	if !t.Has("to_files") {
		return nil
	}
	if t.Lacks("to_files") {
		t.Errorf("to_files", "is empty: list files with one destination a line, or leave it out")
	}
	if len(names) == 0 {
		return nil
	}
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = under(disk.Dir, name)
	}
	key := strings.Join(paths, "\x00")
	if list, known := c.lists[key]; known {
		return list
	}
	l := newListReader()
	texts := c.readTexts(t, disk, names)
	l.grow(texts)
	for _, f := range texts {
		l.read(f.path, f.text)
	}
	list := l.done()
	t.Doc.Report(l.problems...)
	if c.lists == nil {
		c.lists = map[string]*rules.List{}
	}
	c.lists[key] = list
	return list
}

// A listText is the text of a list file.
type listText struct{ path, text string }

// readTexts reads the files of a list, and reports those that it cannot read.
func (c *Config) readTexts(t *tomldoc.Table, disk Disk, names []string) (texts []listText) {
	for _, name := range names {
		path, data, err := c.read(disk, Input{Key: "[[rule]] to_files", Line: t.LineOf("to_files", name), Path: name}, maxListBytes)
		if err != nil {
			t.Doc.Errorf(t.LineOf("to_files", name), "to_files: %s: %v", path, err)
			continue
		}
		texts = append(texts, listText{path, textOf(data)})
	}
	return texts
}
