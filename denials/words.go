// Words: how destinations, clients, reasons and counts read, on the terminal and
// on the page.

package denials

import (
	"strconv"
	"strings"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// Who shows a client by name and address.
func Who(name, addr string) string {
	switch {
	case name == "":
		return addr
	case addr == "":
		return name
	}
	return name + " " + addr
}

// Where shows a record's destination.
func Where(r *journal.Record) string {
	switch {
	case r.Host != "":
		return wanted(r.Host, r.Port, r.Proto, r.Via)
	case r.HostRaw != "":
		return wanted(r.HostRaw, r.Port, r.Proto, r.Via)
	case r.Times() > 1:
		return wanted(Others, r.Port, r.Proto, r.Via)
	}
	return wanted("", r.Port, r.Proto, r.Via)
}

// Where shows a group's destination.
func (g *Group) Where() string {
	if g.QType != "" {
		return g.Host + " (DNS " + g.QType + ")"
	}
	return wanted(g.Host, g.Port, g.Proto, g.Via)
}

// wanted shows what was asked for: an endpoint, or the look-up of a name, which
// has no port, and whose protocol tells nothing.
func wanted(host string, port uint16, proto, via string) string {
	if via == rules.ViaDNS.String() && port == 0 {
		return strings.TrimSpace(host + " (DNS)")
	}
	return endpoint(host, port, proto)
}

// endpoint shows host:port, and the protocol where it is not TCP.
func endpoint(host string, port uint16, proto string) string {
	if strings.Contains(host, ":") && port != 0 {
		host = "[" + host + "]"
	}
	if port != 0 {
		host += ":" + strconv.Itoa(int(port))
	}
	if proto != "" && proto != "tcp" {
		host += "/" + proto
	}
	return host
}

// Cause shows the reason, or the event where there is none.
func Cause(r *journal.Record) string {
	if r.Reason == "" {
		return Tag(r.Event, r.Verdict)
	}
	return Tag(r.Reason, r.Verdict)
}

// Tag shows a reason, and that it was let through.
func Tag(reason, verdict string) string {
	if verdict == journal.VerdictWouldDeny {
		return reason + " (audit)"
	}
	return reason
}

// Repeated shows a count above one.
func Repeated(n uint64) string {
	if n < 2 {
		return ""
	}
	return "×" + strconv.FormatUint(n, 10)
}

// Why shows what would permit it, and what else is known.
func Why(nearest, hint, detail string) string {
	if strings.Contains(hint, detail) {
		detail = "" // said in the hint already
	}
	s := joined(detail, hint)
	if nearest != "" && !strings.Contains(s, nearest) {
		s = joined(strings.TrimSuffix(s, "."), "nearest: "+nearest)
	}
	return s
}

// joined puts two parts of a text together.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// Tallied counts what was denied, and what mode "audit" let through instead.
func Tallied(groups []*Group) (denied, audited uint64) {
	for _, g := range groups {
		if g.Verdict == journal.VerdictWouldDeny {
			audited += g.Count
		} else {
			denied += g.Count
		}
	}
	return denied, audited
}

// Often spells a count.
func Often(n uint64) string {
	return strconv.FormatUint(n, 10) + " " + plural(int(min(n, 2)), "time", "times")
}
