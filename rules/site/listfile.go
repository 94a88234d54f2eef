// List files: the text of one file of to_files, one destination a line.

package site

import (
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"sallyport/rules"
)

const (
	maxListBytes   = 64 << 20 // of all list files of one rule
	maxListLine    = 1000     // octets of a line without its comment
	maxListTold    = 20       // errors of one file that are printed; also warnings
	maxListExcerpt = 60       // octets of a wrong line that are printed
	yieldAfter     = 512      // lines that are read without a pause for other goroutines
)

// A listReader reads the list files of one rule.
type listReader struct {
	file     string
	problems rules.Problems
	build    rules.ListBuilder
	doh      resolvers
	lines    int // the lines of all files
	bytes    int // the octets of all files
	entries  int // the entries of the file that is being read
	errors   int // in the file that is read
	warnings int // in the file that is read

	moreErrors, moreWarnings int // the line of the first one that is only counted
}

// newListReader returns a reader without entries.
func newListReader() *listReader { return &listReader{doh: knownResolvers()} }

// grow makes room for the entries of all files.
func (l *listReader) grow(texts []listText) {
	lines, octets := 0, 0
	for _, t := range texts {
		lines += strings.Count(t.text, "\n") + 1
		octets += len(t.text)
	}
	l.build.Grow(min(lines, rules.MaxListLines), min(octets, maxListBytes))
}

// read reads the text of one file.
func (l *listReader) read(file, text string) {
	l.file, l.entries, l.errors, l.warnings = file, 0, 0, 0
	l.build.File(file)
	at := 0
	if why, line := unreadable(text); why != "" {
		l.errorf(line, "%s", why)
		return
	}
	if l.bytes += len(text); l.bytes > maxListBytes {
		l.errorf(0, "the list files of one rule are larger than %d MiB together: divide them among several rules", maxListBytes>>20)
		return
	}
	text = strings.TrimPrefix(text, byteOrderMark)
	for n := 1; at < len(text); n++ {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text) - at
		}
		if l.lines++; l.lines > rules.MaxListLines {
			l.errorf(n, "the list files of one rule have more than %d lines together: divide them among several rules", rules.MaxListLines)
			break
		}
		l.line(n, text[at:at+end])
		if n%yieldAfter == 0 {
			runtime.Gosched() // a reload must not keep a processor from the requests of clients
		}
		at += end + 1
		if at >= len(text) {
			l.build.Lines(n)
		}
	}
	switch {
	case l.errors > maxListTold:
		l.problems = append(l.problems, rules.Problem{File: file, Line: l.moreErrors, Text: fmt.Sprintf("and %d more errors, from this line on", l.errors-maxListTold)})
	case l.errors == 0 && l.entries == 0:
		l.errorf(0, "the list is empty: an editor or a script may be writing it; list at least one destination, or remove the file from to_files")
	}
	if more := l.warnings - maxListTold; more > 0 {
		l.problems = append(l.problems, rules.Problem{File: file, Line: l.moreWarnings, Text: fmt.Sprintf("and %d more warnings, from this line on", more), Warning: true})
	}
}

// done returns the list of all files, with a warning about repeated entries. The problems
// are complete after it.
func (l *listReader) done() *rules.List {
	list, twice := l.build.Done()
	if twice.Count > 0 {
		text := fmt.Sprintf("%s is already on line %d", twice.Text, twice.EarlierLine)
		if twice.EarlierFile != twice.File {
			text = fmt.Sprintf("%s is already in %s, line %d", twice.Text, twice.EarlierFile, twice.EarlierLine)
		}
		if twice.Count > 1 {
			text += fmt.Sprintf("; in total, %d entries repeat an earlier entry", twice.Count)
		}
		l.problems = append(l.problems, rules.Problem{File: twice.File, Line: twice.Line, Text: text, Warning: true})
	}
	return list
}

// byteOrderMark is U+FEFF in UTF-8, with which some editors begin a file.
const byteOrderMark = "\xef\xbb\xbf"

// unreadable returns why a text is not a list at all, and the line; "" if it may be one.
func unreadable(text string) (why string, line int) {
	nul := strings.IndexByte(text, 0)
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"), nul == 0, nul == 1:
		return "the file is UTF-16 or UTF-32 text, or no text: save it as UTF-8", 1
	case nul > 0:
		return "the line has a NUL octet: is the file text? save it as UTF-8", 1 + strings.Count(text[:nul], "\n")
	}
	return "", 0
}

// line reads one line.
func (l *listReader) line(n int, line string) {
	if i := strings.IndexByte(line, '#'); i >= 0 {
		if i > 0 && line[i-1] != ' ' && line[i-1] != '\t' {
			l.errorf(n, "%s: put a space in front of the #, if a comment begins there", excerpt(line))
			return
		}
		line = line[:i]
	}
	entry := strings.Trim(line, " \t\r")
	if entry == "" {
		return
	}
	if len(entry) > maxListLine {
		l.errorf(n, "%s: the line has more than %d octets: write one destination a line", excerpt(entry), maxListLine)
		return
	}
	name, err := rules.ParseName(entry)
	d := rules.Destination{Name: name}
	if err != nil {
		if d, err = rules.ParseDestination(entry); err != nil || d.Role != "" {
			l.errorf(n, "%s", wrongEntry(entry, err))
			return
		}
	}
	l.entries++
	if l.check(n, d) {
		l.build.Add(d, n)
	}
}

// check reports what is wrong or dangerous about a destination. It returns false for an
// error.
func (l *listReader) check(n int, d rules.Destination) bool {
	if why := cannotBeDestination(d); why != "" {
		l.errorf(n, "%s", why)
		return false
	}
	if d.Wildcard {
		if suffix := suffixBelow(d.Name); suffix != "" {
			l.warnf(n, "%s", permitsSuffix(d, suffix))
		}
	}
	if l.doh.has(d) {
		l.warnf(n, "%s", isResolver(d))
	}
	return true
}

// wrongEntry returns what is wrong with a line that is no destination; err is nil for a
// role.
func wrongEntry(entry string, err error) string {
	host := strings.TrimLeft(entry, "|.")
	switch {
	case err == nil:
		return excerpt(entry) + ": a list has hosts; bind roles in [client.addresses]"
	case !utf8.ValidString(entry):
		return excerpt(entry) + ": the line is not UTF-8: save the file as UTF-8"
	case strings.TrimRight(entry, ",; \t") != entry && !strings.ContainsAny(strings.TrimRight(entry, ",; \t"), " \t,;"):
		return excerpt(entry) + ": remove the " + map[byte]string{',': "comma", ';': "semicolon"}[entry[len(entry)-1]] + " at the end"
	case strings.ContainsAny(entry, " \t"):
		return excerpt(entry) + " has a space in it: write one destination a line, and # in front of a comment"
	case strings.ContainsAny(entry, ",;"):
		return excerpt(entry) + ": write one destination a line"
	case host != entry && host != "":
		return fmt.Sprintf("%s: write *.name for all names below a name, and name for the name itself", excerpt(entry))
	case len(entry) > maxListExcerpt:
		return excerpt(entry) + ": is no name, *.name, address or prefix"
	}
	return err.Error()
}

// excerpt returns the beginning of a line in quotes.
func excerpt(line string) string {
	line = strings.TrimSpace(line)
	if len(line) > maxListExcerpt {
		return fmt.Sprintf("%q …", line[:maxListExcerpt])
	}
	return fmt.Sprintf("%q", line)
}

// errorf adds an error, or only counts it if there are many.
func (l *listReader) errorf(line int, format string, args ...any) {
	if l.errors++; l.errors <= maxListTold {
		l.problems = append(l.problems, rules.Problem{File: l.file, Line: line, Text: fmt.Sprintf(format, args...)})
	} else if l.errors == maxListTold+1 {
		l.moreErrors = line
	}
}

// warnf adds a warning, or only counts it if there are many.
func (l *listReader) warnf(line int, format string, args ...any) {
	if l.warnings++; l.warnings <= maxListTold {
		l.problems = append(l.problems, rules.Problem{File: l.file, Line: line, Text: fmt.Sprintf(format, args...), Warning: true})
	} else if l.warnings == maxListTold+1 {
		l.moreWarnings = line
	}
}
