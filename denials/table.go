// Table: aligned columns for a terminal, safe whatever a client sent.

package denials

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// A table collects rows and writes them aligned. The last column is as long
// as it is; the others are cut at cellMax.
type table struct {
	color  bool
	right  int // this many leading columns are aligned to the right
	rows   [][]string
	widths []int
}

const cellMax = 64 // characters

func newTable(color bool, head ...string) *table {
	t := &table{color: color, widths: make([]int, len(head))}
	for i := range head {
		head[i] = strings.ToUpper(head[i])
	}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for i, c := range cells {
		c = journal.Visible(c)
		if n := utf8.RuneCountInString(c); i < len(cells)-1 && n > cellMax {
			c = string([]rune(c)[:cellMax-1]) + "…"
		}
		cells[i] = c
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
	}
	t.rows = append(t.rows, cells)
}

func (t *table) write(w io.Writer) {
	var b strings.Builder
	for i, row := range t.rows {
		b.Reset()
		for j, c := range row {
			pad := strings.Repeat(" ", t.widths[j]-utf8.RuneCountInString(c))
			switch {
			case j < t.right:
				b.WriteString(pad + c)
			case j == len(row)-1:
				b.WriteString(c)
			default:
				b.WriteString(c + pad)
			}
			if j < len(row)-1 {
				b.WriteString("  ")
			}
		}
		text := strings.TrimRight(b.String(), " ")
		if t.color && i == 0 {
			text = "\x1b[1m" + text + "\x1b[0m"
		}
		_, _ = io.WriteString(w, text+"\n") // the caller flushes and sees the error
	}
}

// when shows a time: of today the time only.
func (o *Options) when(t time.Time) string {
	if o.Now.IsZero() {
		return t.Format("2006-01-02T15:04:05Z")
	}
	t = t.In(o.Now.Location())
	if y, m, d := t.Date(); !o.Now.IsZero() {
		if yn, mn, dn := o.Now.Date(); y == yn && m == mn && d == dn {
			return t.Format("15:04:05")
		}
	}
	return t.Format("2006-01-02 15:04:05")
}

// who shows a client by name and address.
func who(name, addr string) string {
	switch {
	case name == "":
		return addr
	case addr == "":
		return name
	}
	return name + " " + addr
}

// where shows a record's destination.
func where(r *journal.Record) string {
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

// where shows a group's destination.
func (g *Group) where() string {
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

// cause shows the reason, or the event where there is none.
func cause(r *journal.Record) string {
	if r.Reason == "" {
		return tag(r.Event, r.Verdict)
	}
	return tag(r.Reason, r.Verdict)
}

// tag shows a reason, and that it was let through.
func tag(reason, verdict string) string {
	if verdict == journal.VerdictWouldDeny {
		return reason + " (audit)"
	}
	return reason
}

// times shows a count above one.
func times(n uint64) string {
	if n < 2 {
		return ""
	}
	return "×" + strconv.FormatUint(n, 10)
}

// why shows what would permit it, and what else is known.
func why(nearest, hint, detail string) string {
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
