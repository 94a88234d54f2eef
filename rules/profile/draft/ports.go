// Ports: the cell of a table that lists ports and protocols.

package draft

import (
	"fmt"
	"regexp"
	"strings"
)

// protocols is a set of the protocols that have ports.
type protocols struct{ tcp, udp bool }

func (p protocols) none() bool { return !p.tcp && !p.udp }

// A portsCell is the content of a ports cell. If it has doubts, it has no ports.
type portsCell struct {
	tcp, udp []string // numbers and ranges, as a profile writes them

	likelyTCP, likelyUDP []string // what a person probably writes, although there are doubts

	bare []string // ports for which the cell itself has no protocol

	doubts  []string // why it cannot be read, or how it can be read in two ways
	remarks []string // what a reader should know, although it is not a doubt
}

func (c *portsCell) empty() bool { return len(c.tcp)+len(c.udp) == 0 }

func (c *portsCell) doubt(format string, a ...any) {
	c.doubts = append(c.doubts, fmt.Sprintf(format, a...))
}

// add adds a port or range for each of the protocols.
func (c *portsCell) add(ports string, of protocols) {
	if of.tcp {
		c.tcp = appendNew(c.tcp, ports)
	}
	if of.udp {
		c.udp = appendNew(c.udp, ports)
	}
}

// Words of a ports cell. A range may be written with a hyphen, a dash or "to".
var (
	portToken = regexp.MustCompile(`(?i)[0-9]+(?:\s*(?:-|–|—|\bto\b)\s*[0-9]+)?|[\p{L}]+|[()/:;,&+|]|\S`)
	rangeMark = regexp.MustCompile(`(?i)\s*(?:-|–|—|\bto\b)\s*`)
)

// The ports of services that are named instead of their port, from IANA's
// registry of service names. Both run over TCP.
const (
	portHTTP  = "80"
	portHTTPS = "443"
)

// readPorts reads a ports cell. If the cell gives no protocol for a port, given has
// its protocols: the protocols of another column, of the header, or of the
// operator.
//
// These forms are read: "TCP: 443, 80", "443(TCP),53(UDP)", "5000 (TCP, UDP)",
// "TCP 443, UDP 53", "80/tcp", "tcp/80", "8000-8010", "HTTPS 443", "HTTPS".
// Other forms are doubts. "ALL" and a port without a protocol are doubts too,
// because they can mean more than one thing.
func readPorts(text string, given protocols) portsCell {
	p := portsParser{given: given}
	rest, marks := unmark(text)
	p.cell.doubts = marks
	for _, group := range splitGroups(rest) {
		p.group(group)
	}
	if d := loneDigit(rest); d != "" && len(p.cell.doubts) == 0 {
		p.cell.doubt("%q: %s can be a port, a footnote mark or a part of a number", clean(text), d)
	}
	if strings.HasSuffix(strings.TrimSpace(text), ",") {
		p.cell.remarks = append(p.cell.remarks, "the ports end with a comma: something may be missing")
	}
	if p.cell.bare = p.bare; len(p.bare) > 0 {
		if given.none() {
			p.cell.doubt("no protocol is given for %s: TCP or UDP", strings.Join(p.bare, ", "))
		}
		for _, b := range p.bare {
			p.cell.add(b, given)
		}
	}
	if len(p.cell.doubts) > 0 {
		p.cell.tcp, p.cell.udp = nil, nil
		p.cell.likelyTCP, p.cell.likelyUDP = likelyPorts(rest, given)
	}
	return p.cell
}

// splitGroups splits a cell at the ends of lines and at semicolons. A protocol applies
// until the end of its part.
func splitGroups(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ';' })
}

// portsParser reads one cell, from left to right.
type portsParser struct {
	cell  portsCell
	given protocols
	bare  []string // ports without a protocol
}

// group reads the part of a cell to which one protocol in front may apply. The part
// ends at the end of a line or at a semicolon.
func (p *portsParser) group(text string) {
	var front protocols  // written in front: "TCP: 443, 80"
	var waiting []string // ports to which a "(TCP)" after them may still apply
	flush := func(of protocols) {
		for _, w := range waiting {
			if of.none() {
				p.bare = appendNew(p.bare, w)
			} else {
				p.cell.add(w, of)
			}
		}
		waiting = nil
	}
	tokens := portToken.FindAllString(text, -1)
	for i := 0; i < len(tokens); i++ {
		word := strings.ToLower(tokens[i])
		switch {
		case isNumber(word):
			ports, err := portRange(word)
			if err != nil {
				p.cell.doubt("%v", err)
				return
			}
			waiting = append(waiting, ports)
		case word == "(" || word == "/" && len(waiting) > 0:
			behind, n := protocolsIn(tokens[i+1:], word == "(")
			if word == "(" && n == 0 && len(waiting) == 0 && i+1 < len(tokens) && isNumber(tokens[i+1]) {
				continue // "HTTPS (443)"
			}
			if n == 0 || len(waiting) == 0 {
				p.cell.doubt("%q is not understood: want ports with their protocol, such as TCP 443, 80 or 53 (UDP)", clean(text))
				return
			}
			last := waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			flush(front)
			p.cell.add(last, behind)
			i += n
		case isProtocol(word) && front.none() && len(waiting) > 0 && (i+1 == len(tokens) || isJoint(tokens[i+1])):
			last := waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
			flush(front)
			p.cell.add(last, protocols{tcp: word == "tcp", udp: word == "udp"}) // "443 TCP, 53 UDP"
		case isProtocol(word):
			flush(front)
			was := front
			front = protocols{tcp: word == "tcp", udp: word == "udp"}
			if i > 0 && isJoint(tokens[i-1]) && !was.none() && (i < 2 || isProtocol(tokens[i-2])) {
				front.tcp, front.udp = front.tcp || was.tcp, front.udp || was.udp // "TCP/UDP 53"
			}
		case word == "http" || word == "https":
			if numberAhead(tokens[i+1:]) {
				flush(front)
				front = protocols{tcp: true} // "HTTPS 8082": the number counts
				continue
			}
			p.cell.add(portOf(word), protocols{tcp: true})
		case word == "all" || word == "any":
			p.cell.doubt("%q can mean every port of TCP, of TCP and UDP, or every protocol", tokens[i])
			return
		case strings.Contains(",:&+|/", word) || word == "and" || word == "port" || word == "ports" || word == ")":
		default:
			p.cell.doubt("%q is not understood: want ports with their protocol, such as TCP 443, 80 or 53 (UDP)", clean(text))
			return
		}
	}
	flush(front)
}

// protocolsIn reads "TCP, UDP)" or, after a slash, "tcp". n is the number of tokens
// that it read; 0 means that the tokens are something else.
func protocolsIn(tokens []string, closed bool) (of protocols, n int) {
	for i, t := range tokens {
		switch strings.ToLower(t) {
		case "tcp":
			of.tcp = true
		case "udp":
			of.udp = true
		case ",", "/", "&", "and", "+":
			continue
		case ")":
			if closed && !of.none() {
				return of, i + 1
			}
			return of, 0
		default:
			return of, 0
		}
		if !closed {
			return of, i + 1
		}
	}
	return of, 0
}

// portOf returns the port of a service that is named instead of its port.
func portOf(service string) string {
	if service == "https" {
		return portHTTPS
	}
	return portHTTP
}

// numberAhead reports whether a port follows: "8082", ": 8082" or "(8082".
func numberAhead(tokens []string) bool {
	if len(tokens) > 1 && (tokens[0] == ":" || tokens[0] == "(") {
		tokens = tokens[1:]
	}
	return len(tokens) > 0 && isNumber(tokens[0])
}

func isNumber(t string) bool { return t[0] >= '0' && t[0] <= '9' }

func isProtocol(t string) bool {
	t = strings.ToLower(t)
	return t == "tcp" || t == "udp"
}

func isJoint(t string) bool { return t == "/" || t == "," || t == "&" || t == "+" }
