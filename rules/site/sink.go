// Sinks: the [[sink]] tables of a configuration.

package site

import (
	"path/filepath"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// facilities are the names of the facilities of syslog, by number (RFC 5424, table 1).
var facilities = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

// usualFacility is the number of local0.
const usualFacility = 16

// readSinks reads [[sink]].
func (c *Config) readSinks(top *tomldoc.Table, disk Disk) {
	for _, t := range top.Subs("sink") {
		c.Sinks = append(c.Sinks, c.readSink(t, disk))
	}
	if j := c.Journal.Path; len(c.Sinks) > 0 && j == "-" {
		top.Doc.Errorf(c.Sinks[0].Line, `sink %q: a sink reads the journal's file, and [journal] path is "-": name a file there`, c.Sinks[0].Name)
	}
}

func (c *Config) readSink(t *tomldoc.Table, disk Disk) *rules.Sink {
	s := &rules.Sink{Line: t.Line("")}
	s.Type = t.Choice("type", "syslog")
	if !t.Has("type") {
		t.Missing("type", `write type = "syslog"`)
	}
	c.readSinkURL(t, s, disk)
	s.Name = t.Str("name")
	if !t.Has("name") {
		s.Name = usualSinkName(s)
	}
	switch i := slices.IndexFunc(c.Sinks, func(o *rules.Sink) bool { return o.Name == s.Name }); {
	case !rules.IsIdentifier(s.Name) && t.Has("name"):
		t.Errorf("name", "%q is not a sink's name: letters, digits, dots and hyphens", s.Name)
	case i >= 0 && t.Has("name"):
		t.Errorf("name", "%q is already used on line %d", s.Name, c.Sinks[i].Line)
	case i >= 0 && t.Has("url"):
		t.Errorf("url", "the sink on line %d has the same url: give each a name of its own", c.Sinks[i].Line)
	}
	s.Format = t.Choice("format", "native")
	s.All = t.Choice("what", "denials", "all") == "all"
	if s.All && c.Journal.Flows == "" {
		t.Errorf("what", `"all" includes permitted flows, and they are not recorded: name a file in [journal] flows, or write "denials"`)
	}
	if s.Facility = usualFacility; t.Has("facility") {
		if s.Facility = slices.Index(facilities[:], t.Str("facility")); s.Facility < 0 {
			t.Errorf("facility", "%q is no facility of syslog%s", t.Str("facility"), tomldoc.DidYouMean(t.Str("facility"), facilities[:], "the facilities are"))
		}
	}
	for _, key := range []string{"ca", "cert", "key"} {
		if t.Has(key) && s.Scheme != rules.SinkTLS && s.Scheme != "" {
			t.Errorf(key, "is for a sink with TLS, and url says %s", s.Scheme)
		}
	}
	s.Roots, s.Certificate = c.readTLS(t, "sink", s.Name, &s.Unread, disk)
	t.Done()
	return s
}

// readSinkURL reads where a sink listens.
func (c *Config) readSinkURL(t *tomldoc.Table, s *rules.Sink, disk Disk) {
	const forms = `"tls://siem.corp.example:6514", "tcp://…:601", "udp://…:514" or "unix:/path"`
	text := t.Str("url")
	if text == "" {
		t.Missing("url", "say where the sink listens, like "+forms)
		return
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		s.Scheme, s.Path = rules.SinkUnix, path
		if strings.HasPrefix(path, "//") {
			s.Path = path[len("//"):]
		}
		switch {
		case path == "":
			t.Errorf("url", "%q has no path: write it like %s", text, forms)
		case !filepath.IsAbs(s.Path):
			t.Errorf("url", "%q: the path of a socket begins with /: write %q", text, "unix:/"+s.Path)
		}
		return
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		t.Errorf("url", "%q has no protocol: write it like %s", text, forms)
		return
	}
	switch s.Scheme = scheme; scheme {
	case rules.SinkTCP, rules.SinkTLS, rules.SinkUDP:
	default:
		t.Errorf("url", "%q: syslog goes by tcp, tls, udp or unix, like %s", text, forms)
		return
	}
	if strings.Contains(rest, "@") {
		t.Errorf("url", "has a user or a password in it: syslog has neither; a receiver knows sallyport by its address, or by cert and key")
		return
	}
	at, ok := readReceiver(t, "sink", scheme, rest, 6514)
	if !ok {
		return
	}
	s.At = at
	if at.Addr.IsValid() && (rules.Own{Listeners: c.Listen.Streams()}).Is(at.AddrPort()) {
		t.Errorf("url", "%s is sallyport's own listener: name the receiver of the records", at)
	}
}

// usualSinkName returns the name of a sink without a name, by its type and its url.
func usualSinkName(s *rules.Sink) string {
	at := s.At.String()
	if s.Scheme == rules.SinkUnix {
		at = filepath.Base(s.Path)
	}
	name := s.Type + "-" + strings.Trim(strings.Map(func(r rune) rune {
		if r < 0x80 && rules.IsIdentifier(string(r)) {
			return r
		}
		return '-'
	}, at), "-")
	return name[:min(len(name), 64)]
}
