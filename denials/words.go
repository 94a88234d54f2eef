// Words: destinations, clients, reasons and counts as text, for the terminal
// and the page.

package denials

import (
	"strconv"
	"strings"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// Who returns a client's name and address.
func Who(name, addr string) string {
	switch {
	case name == "":
		return addr
	case addr == "":
		return name
	}
	return name + " " + addr
}

// Where returns a record's destination.
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

// Where returns a group's destination.
func (g *Group) Where() string {
	if g.QType != "" {
		return g.Host + " (DNS " + g.QType + ")"
	}
	return wanted(g.Host, g.Port, g.Proto, g.Via)
}

// wanted returns the destination as text: host and port. A look-up has a name
// and neither port nor protocol.
func wanted(host string, port uint16, proto, via string) string {
	if via == rules.ViaDNS.String() && port == 0 {
		return strings.TrimSpace(host + " (DNS)")
	}
	return endpoint(host, port, proto)
}

// endpoint returns host:port, with the protocol if it is not TCP.
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

// Cause returns the reason; if there is none, the event.
func Cause(r *journal.Record) string {
	if r.Reason == "" {
		return Tag(r.Event, r.Verdict)
	}
	return Tag(r.Reason, r.Verdict)
}

// Tag returns a reason, marked if mode "audit" let the attempt through.
func Tag(reason, verdict string) string {
	if verdict == journal.VerdictWouldDeny {
		return reason + " (audit)"
	}
	return reason
}

// Repeated returns a count above one as text.
func Repeated(n uint64) string {
	if n < 2 {
		return ""
	}
	return "×" + strconv.FormatUint(n, 10)
}

// Why returns the detail, the hint and the nearest rule of a denial, without
// repetition.
func Why(nearest, hint, detail string) string {
	if strings.Contains(hint, detail) {
		detail = "" // the hint has it already
	}
	s := joined(detail, hint)
	if nearest != "" && !strings.Contains(s, nearest) {
		s = joined(strings.TrimSuffix(s, "."), "nearest: "+nearest)
	}
	return s
}

// joined returns two parts of a text with "; " between them.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// Tallied returns how often a group was denied, and how often mode "audit" let
// it through.
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

// Often returns a count as "N times".
func Often(n uint64) string {
	return rules.Counted(n, "time", "times")
}
