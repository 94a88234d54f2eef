// Secret tests: no password, path or query gets into the journal as part of an unreadable text.

package head

import (
	"strings"
	"testing"

	"sallyport/rules"
)

func TestRecordable(t *testing.T) {
	for _, c := range [][2]string{
		{"a..example:443", "a..example:443"},
		{"ev\x1bil", "ev\x1bil"},
		{"user:hunter2@a.example", ""},
		{"user:hunter2/x@a.example", ""},
		{"@", ""},
		{"a.example?token=x", "a.example"},
		{"a.example/x?y", "a.example"},
		{"a.example;token=x", "a.example"},
		{"a.example#token", "a.example"},
		{"http://a.example/?token=x", "http:"},
		{"", ""},
	} {
		if got := Recordable(c[0]); got != c[1] {
			t.Errorf("%q: kept %q, want %q", c[0], got, c[1])
		}
	}
}

func TestHeadKeepsNoSecret(t *testing.T) {
	for _, c := range []struct{ text, raw string }{
		{target("http://user:hunter2@a.example/"), ""},
		{target("http://user:hunter2/x@a.example/"), ""},
		{target("http://user:hunter2?x@a.example/"), ""},
		{target("http://hunter2!x/x@a.example/"), ""},
		{target("http://hunter2!x?@a.example/"), ""},
		{target("http://a.example;token=hunter2/"), "a.example"},
		{target("http://a..example/?token=hunter2"), "a..example"},
		{connectTo("user:hunter2@a.example:443"), ""},
		{connectTo("user:hunter2/@a.example:443"), ""},
		{connectTo("http://a.example/?token=hunter2"), "http:"},
		{withHost("user:hunter2@a.example"), ""},
		{withHost("a.example?token=hunter2"), "a.example"},
		{withHost("a.example/hunter2"), "a.example"},
		{"GET http://hunter2!/x@a.example/ HTTP/1.1\r\nHost: hunter2!\r\n\r\n", ""}, // the secret is in it twice
		{"GET http://a.example/x@hunter2 HTTP/1.1\r\nHost: hunter2!\r\n\r\n", ""},
	} {
		h, fault, detail, _ := Parse([]byte(c.text))
		if fault == rules.ReasonNone || h.Raw != c.raw || strings.Contains(detail, "hunter2") {
			t.Errorf("%q: fault %v (%s), kept %q, want %q", c.text, fault, detail, h.Raw, c.raw)
		}
	}
}
