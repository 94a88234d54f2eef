// Syntax: what is said about a text that is no TOML: the key, and the cure. The library's own
// messages name neither.

package tomldoc

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// moments is the end of every problem about a date.
const moments = "a date is year-month-day, like 2027-06-30; a date-time has Z or an offset, like 2027-06-30T18:00:00+02:00, and no name of a zone"

// A syntaxError is one message of the library with the text that it is about.
type syntaxError struct {
	message    string
	line       string      // as it is written
	value      string      // the part of the line that can be a value
	statements []Statement // up to this line
	last       Statement   // the last one
}

// syntaxProblem returns the text of the problem for a message of the library.
func syntaxProblem(lines []string, pe toml.ParseError) string {
	n := min(max(pe.Position.Line, 1), len(lines))
	e := syntaxError{message: pe.Message, line: strings.TrimSpace(lines[n-1]), statements: Statements(lines[:n])}
	e.value = e.line
	if len(e.statements) > 0 {
		e.last = e.statements[len(e.statements)-1]
	}
	if e.last.Line == n && !e.last.Header {
		_, e.value = scanKey(e.line)
		e.value = strings.TrimSpace(e.value)
	}
	for _, cure := range []func(*syntaxError) string{(*syntaxError).twice, (*syntaxError).encoding, (*syntaxError).shape, (*syntaxError).moment, (*syntaxError).bare, (*syntaxError).list} {
		if text := cure(&e); text != "" {
			return text
		}
	}
	if pe.LastKey != "" && !e.last.Header {
		return e.last.Text + ": " + e.message
	}
	return e.message
}

// about adds the key to a problem.
func (e *syntaxError) about(format string, args ...any) string {
	return e.last.Text + ": " + fmt.Sprintf(format, args...)
}

// says reports whether the library's message has a text in it.
func (e *syntaxError) says(text string) bool { return strings.Contains(e.message, text) }

// quoted returns the text that the library's message has in quotes after a beginning.
func (e *syntaxError) quoted(beginning string) string {
	_, text, _ := strings.Cut(e.message, beginning+` "`)
	text, _, _ = strings.Cut(text, `"`)
	return text
}

// encoding says how to save a file that is no UTF-8.
func (e *syntaxError) encoding() string {
	if e.says("invalid UTF-8") || e.says("UTF-16") {
		return "the line is not UTF-8: save the file as UTF-8"
	}
	return ""
}

// shape says how a line with a key or a table's name is written.
func (e *syntaxError) shape() string {
	switch {
	case strings.HasPrefix(e.line, "[") && e.last.Header && (e.says("to end table name") || e.says("table array name delimiter") || e.says("top-level item")):
		return fmt.Sprintf("%s: write a table as [%s], and a table of which there can be several as [[%[2]s]]", e.line, strings.Trim(e.last.Text, "[]"))
	case e.says("key separator '='"), e.says("expected '.' or '='"):
		return fmt.Sprintf("%q: write key = value", e.line)
	case e.says("expected value") && e.says("EOF"), e.says("expected value") && e.value == "":
		return e.about("has no value: write one behind the =, or remove the line")
	case e.says("expected '\"'"), e.says(`expected "'"`), e.says("strings cannot contain newlines"):
		return e.about("the quote at the end of the text is missing")
	}
	return ""
}

// Texts that are often written without quotes.
var (
	portRange = regexp.MustCompile(`\b\d+ *- *\d+\b`)
	date      = regexp.MustCompile(`^(\d{4}-\d\d?-\d\d?\b|\d\d?[./-]\d\d?[./-]\d{4}\b|\d{4}[./]\d)`)
	duration  = regexp.MustCompile(`^\d+(ns|us|ms|s|m|h)\b`)
	bareWord  = regexp.MustCompile(`^[^\s,\]#"']+`)
)

// moment says how a range of ports, a date and a duration are written.
func (e *syntaxError) moment() string {
	notValue := e.says("invalid datetime") || e.says("Invalid float") || e.says("Invalid integer") || e.says("top-level item") || e.says("expected a comma")
	if !notValue || e.last.Header {
		return ""
	}
	ranges := portRange.FindString(strings.ReplaceAll(e.quoted("invalid datetime:"), "T", " "))
	if date.MatchString(ranges) || strings.Count(e.quoted("invalid datetime:"), "-") > 1 {
		ranges = ""
	}
	if ranges == "" && e.says("got '-'") {
		ranges = portRange.FindString(e.value)
	}
	switch {
	case ranges != "":
		return e.about("write a range as a text: %q", strings.ReplaceAll(ranges, " ", ""))
	case date.MatchString(e.value), e.says("invalid datetime"):
		value, _, _ := strings.Cut(e.value, "#")
		return e.about("%s is not a date: %s", strings.TrimSpace(value), moments)
	case duration.MatchString(e.value):
		return e.about("write a duration as a text: %q", duration.FindString(e.value))
	}
	return ""
}

// bare says that a text needs quotes, or what else a bare word means.
func (e *syntaxError) bare() string {
	found := e.quoted("Invalid float value:")
	if found == "" && e.says("expected value but found") {
		if found = e.quoted("expected value but found"); found == "" {
			_, found, _ = strings.Cut(e.message, "but found '")
			found, _, _ = strings.Cut(found, "'")
		}
	}
	at := strings.Index(e.value, found)
	if found == "" || at < 0 {
		return ""
	}
	word := bareWord.FindString(e.value[at:])
	host, _, _ := strings.Cut(word, "/")
	switch _, err := netip.ParseAddr(host); {
	case err == nil:
		return e.about("write an address as a text: %q", word)
	case strings.ContainsAny(found, "“”„‘’«»"):
		return e.about("%s: write straight quotes (\"), as an editor for plain text does", e.value)
	case slices.Contains([]string{"true", "false", "yes", "no", "on", "off"}, strings.ToLower(word)):
		return e.about("%s: write true or false, in small letters and without quotes", word)
	case word != "":
		return e.about("write a text in quotes: %q", word)
	}
	return ""
}

// list says what is missing in a list, or what follows a value.
func (e *syntaxError) list() string {
	switch {
	case e.says("expected a comma"):
		return e.about("a comma is missing between two elements of the list, or the ] at its end")
	case e.says("unexpected comma"):
		return e.about("the list has two commas: remove one")
	case e.says("top-level item") && strings.HasSuffix(strings.TrimSpace(strings.SplitN(e.value, "#", 2)[0]), ","):
		return e.about("remove the comma behind the value")
	case e.says("top-level item"):
		return e.about("%s: something follows the value: write one key in each line, and a text in quotes", e.value)
	}
	return ""
}
