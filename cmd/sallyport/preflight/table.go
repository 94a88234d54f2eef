// Table: the report for people: one row for each destination, then every finding with its remedy.

package preflight

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// The statuses in the first column, with their colours. All codes have the same length, so that the
// columns stay aligned.
var marks = map[Status][2]string{
	OK: {"ok", "32"}, Warning: {"WARN", "33"}, Failed: {"FAIL", "31"}, Unfinished: {"?", "36"}, NotTried: {"-", "36"},
}

// Write prints the report for people.
func (r *Report) Write(w io.Writer, color bool) error {
	rows := slices.Clone(r.Destinations)
	rows = slices.DeleteFunc(rows, func(d *Destination) bool { return d.Status == NotTried })
	slices.SortStableFunc(rows, func(a, b *Destination) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port)) })
	if len(rows) > 0 {
		if err := matrix(w, rows, color); err != nil {
			return err
		}
	}
	writeFindings(w, rows, Failed)
	writeFindings(w, rows, Warning)
	r.writeUntried(w)
	r.writeUnrouted(w)
	if r.Listener != nil {
		r.Listener.write(w)
	}
	if r.Config != "" || len(r.Upstreams) > 0 {
		fmt.Fprintln(w)
	}
	if r.Config != "" { // names the configuration, in case --config was forgotten
		fmt.Fprintf(w, "configuration %s, revision %s\n", visible(r.Config), r.Revision)
	}
	for _, u := range r.Upstreams {
		fmt.Fprintf(w, "resolver %s: %d answers, %d failures\n", u.Upstream, u.Answered, u.Failed)
		if u.Fault != "" {
			fmt.Fprintf(w, "warning: resolver %s: %s\n  do: %s\n", u.Upstream, visible(u.Fault), visible(u.Cure))
		}
		if u.Respells {
			fmt.Fprintf(w, "warning: resolver %s, or a device on the way to it, changes the letter case of questions; its answers are used, but they are easier to forge; ask it by tcp://, or use another resolver\n", u.Upstream)
		}
	}
	fmt.Fprintln(w)
	_, err := fmt.Fprintln(w, r.Sentence())
	return err
}

// Sentence returns the summary of the report in one sentence.
func (r *Report) Sentence() string {
	s := r.Summary
	text := fmt.Sprintf("%d work, %d with warnings, %d fail, %d not tried; %v", s.OK, s.Warning, s.Failed, s.NotTried,
		(time.Duration(r.DurationMS) * time.Millisecond).Round(100*time.Millisecond))
	if r.Interrupted {
		text = fmt.Sprintf("interrupted with %d unfinished: ", s.Unfinished) + text
	}
	return text
}

// matrix prints a row for each destination.
func matrix(w io.Writer, rows []*Destination, color bool) error {
	paint := func(text, code string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\tDESTINATION\tDNS\tIPV4\tIPV6\tTLS\tHTTP\tCERTIFICATE\n", paint("", "01"))
	for _, d := range rows {
		m := marks[d.Status]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", paint(m[0], m[1]), d.label(), d.dnsCell(),
			d.family("ipv4"), d.family("ipv6"), d.tlsCell(), d.httpCell(), d.certCell())
	}
	return t.Flush()
}

// label returns host:port, with the protocol if it is not TCP.
func (d *Destination) label() string {
	s := net.JoinHostPort(d.Host, strconv.Itoa(int(d.Port)))
	if d.Proto != "tcp" {
		s += "/" + d.Proto
	}
	return s
}

func (d *Destination) dnsCell() string {
	switch {
	case d.DNS == nil && len(d.Results) > 0:
		return "-"
	case d.DNS == nil:
		return "?"
	case !d.DNS.OK:
		return short(d.Problem)
	}
	return fmt.Sprintf("%d, %s", len(d.DNS.Addresses), ms(d.DNS.DurationMS))
}

// family returns a cell for one address family: how many addresses connect, or why none does.
func (d *Destination) family(family string) string {
	var all, good int
	var best float64
	bad := ""
	for _, a := range d.Results {
		if a.Family != family {
			continue
		}
		all++
		switch {
		case a.TCP != nil && a.TCP.OK:
			if good++; good == 1 || a.TCP.DurationMS < best {
				best = a.TCP.DurationMS
			}
		case a.Problem != None && bad == "":
			bad = short(a.Problem)
		}
	}
	switch {
	case all == 0:
		return "-"
	case good == 0:
		return cmp.Or(bad, "?")
	case good < all:
		return fmt.Sprintf("%d of %d, %s", good, all, cmp.Or(bad, ms(best)))
	}
	return ms(best)
}

// tlsCell shows the first address with a TLS result, failures first.
func (d *Destination) tlsCell() string {
	cell := "-"
	for _, a := range d.Results {
		switch {
		case a.TLS == nil:
		case strings.HasPrefix(string(a.Problem), "tls_") || a.Problem == NotTLS:
			return short(a.Problem)
		case a.TLS.OK && cell == "-":
			cell = cmp.Or(a.TLS.Version, "client certificate")
		}
	}
	return cell
}

func (d *Destination) httpCell() string {
	cell := "-"
	for _, a := range d.Results {
		switch {
		case strings.HasPrefix(string(a.Problem), "http_") || a.Problem == NotHTTP:
			return short(a.Problem)
		case a.HTTP != nil && cell == "-":
			cell = strconv.Itoa(a.HTTP.Status)
		}
	}
	return cell
}

// certCell shows the worst certificate: its subject, its issuer, its end date.
func (d *Destination) certCell() string {
	var found *Address
	for _, a := range d.Results {
		if a.TLS != nil && a.TLS.Cert != nil && (found == nil || !a.TLS.Cert.Verified) {
			found = a
		}
	}
	if found == nil {
		return "-"
	}
	c := found.TLS.Cert
	text := fmt.Sprintf("%s, by %s, until %s", visible(commonName(c.Subject)), visible(commonName(c.Issuer)), c.NotAfter.Format(time.DateOnly))
	if !c.Verified {
		text = short(found.Problem) + ": " + text
	}
	return text
}

// commonName returns the CN of a distinguished name. If there is none, it returns the whole name.
func commonName(dn string) string {
	for part := range strings.SplitSeq(dn, ",") {
		if cn, ok := strings.CutPrefix(part, "CN="); ok {
			return cn
		}
	}
	return dn
}

// short returns a short text of a problem for a cell.
func short(p Problem) string {
	s := string(p)
	for _, prefix := range []string{"tcp_", "tls_", "http_", "cert_", "name_"} {
		s = strings.TrimPrefix(s, prefix)
	}
	return strings.ReplaceAll(s, "_", " ")
}

// ms prints a time in milliseconds.
func ms(v float64) string {
	switch {
	case v < 0.1:
		return "<0.1 ms"
	case v < 10:
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

// writeUntried lists the permitted destinations that were not tried, grouped by reason.
func (r *Report) writeUntried(w io.Writer) {
	var whys []string
	what := map[string][]string{}
	add := func(why, text string) {
		if what[why] == nil {
			whys = append(whys, why)
		}
		if !slices.Contains(what[why], text) {
			what[why] = append(what[why], text)
		}
	}
	for _, d := range r.Destinations {
		if d.Status == NotTried {
			add(d.Detail, d.label())
		}
	}
	for _, u := range r.NotTried {
		add(u.Why, fmt.Sprintf("%s (%s: %s)", u.What, u.Client, u.Rule))
	}
	for _, why := range whys {
		fmt.Fprintf(w, "\nnot tried: %s\n", why)
		for _, text := range what[why] {
			fmt.Fprintln(w, "  "+text)
		}
	}
}

// maxWords limits the length of one shown text. It leaves room for the addresses of a cure. The
// JSON has the whole text.
const maxWords = 2000

// visible escapes bytes that a terminal may obey or hide, and bytes that are not UTF-8.
// Certificates and HTTP headers are text from unknown servers.
func visible(s string) string {
	if r := []rune(s[:min(len(s), 4*maxWords+4)]); len(r) > maxWords {
		s = s[:byteLen(s, maxWords)] + "…"
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		q := strconv.Quote(s)
		return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	}
	return s
}

// byteLen returns the number of bytes in the first runes of s.
func byteLen(s string, runes int) int {
	for i := range s {
		if runes == 0 {
			return i
		}
		runes--
	}
	return len(s)
}
